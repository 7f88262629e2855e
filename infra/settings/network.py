"""The VPC: its addresses and zones."""

from infra.settings.values import Cidr, Settings


class NetworkSettings(Settings):
    """Addresses and zones of the VPC.

    Zones are ids (`use2-az1`), which mean the same place in every account; letters do not.
    """

    cidr: Cidr = "10.0.0.0/16"
    """Main IPv4 range of the VPC."""
    secondary_cidrs: tuple[Cidr, ...] = ()
    """Further ranges, usually carrier-grade NAT space (100.64.0.0/10) for nodes and pods."""
    zones: tuple[str, ...]
    """Availability zone ids, two or more."""
