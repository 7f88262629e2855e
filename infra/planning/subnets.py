"""How a VPC is cut into subnets for GPU nodes.

Three kinds, one of each per zone:
- node: large, because a GPU node takes addresses for its interfaces, its pods and the CNI's warm pool: at least a /20
  a zone.
- control plane: a /28 that holds nothing but EKS's own interfaces, so an upgrade always finds its addresses (EKS asks
  for 6 free addresses and recommends 16).
- public: a /24 for load balancers and NAT gateways only.
Source: Amazon EKS user guide, network requirements; the size of node subnets is our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

CONTROL_PLANE_PREFIX = 28
PUBLIC_PREFIX = 24
NODE_PREFIX_AT_MOST = 20  # the smallest node subnet: 4,091 usable addresses


@dataclass(frozen=True, slots=True)
class ZoneSubnets:
    """The subnets of one zone, as CIDRs."""

    zone: str
    node: str
    control_plane: str
    public: str


def subnet_plan(cidr: str, secondary_cidrs: Sequence[str], zones: Sequence[str]) -> tuple[ZoneSubnets, ...]:
    """Cut the VPC.

    Args:
        cidr: main range; holds public and control-plane subnets, and the nodes where there is no secondary range.
        secondary_cidrs: the first one, where given, holds the nodes.
        zones: zone ids; their order decides the addresses, so add new ones at the end.

    Raises:
        ValueError: when the ranges are too small; the message says how large they must be.
    """
    main = IPv4Network(cidr)
    small, blocks = _reserved_block(main, len(zones), nodes_inside=not secondary_cidrs)
    if secondary_cidrs:
        blocks = _equal_parts(IPv4Network(secondary_cidrs[0]), len(zones))
    if blocks[0].prefixlen > NODE_PREFIX_AT_MOST:
        raise ValueError(
            f"node subnets would be /{blocks[0].prefixlen} in {len(zones)} zones, and must be /{NODE_PREFIX_AT_MOST} or"
            " larger"
        )
    public = list(small.subnets(new_prefix=PUBLIC_PREFIX))
    control_plane = list(public[-1].subnets(new_prefix=CONTROL_PLANE_PREFIX))
    return tuple(
        ZoneSubnets(zone, str(blocks[index]), str(control_plane[index]), str(public[index]))
        for index, zone in enumerate(zones)
    )


def _reserved_block(main: IPv4Network, zones: int, *, nodes_inside: bool) -> tuple[IPv4Network, list[IPv4Network]]:
    """The part of the main range for small subnets, and the parts left for nodes."""
    needed = (zones + 1) * 2 ** (32 - PUBLIC_PREFIX)
    if main.num_addresses < needed:
        raise ValueError(f"{main} is too small for {zones} public /{PUBLIC_PREFIX} and as many /{CONTROL_PLANE_PREFIX}")
    if not nodes_inside:
        return main, []
    parts = _equal_parts(main, zones + 1)
    if parts[-1].num_addresses < needed:
        raise ValueError(f"{main} is too small for {zones} zones; give a larger range")
    return parts[-1], parts[:zones]


def _equal_parts(network: IPv4Network, count: int) -> list[IPv4Network]:
    """`network` cut into the fewest equal parts, a power of two, that are at least `count`."""
    bits = max(count - 1, 0).bit_length()
    if network.prefixlen + bits > PUBLIC_PREFIX:
        raise ValueError(f"{network} is too small to be cut into {count} parts")
    return list(network.subnets(prefixlen_diff=bits)) if bits else [network]
