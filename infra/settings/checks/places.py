"""Where things are: account, region, zones, address ranges, and what is offered there."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from infra.catalog.zones import ZONES_WITHOUT_CONTROL_PLANE, regions, zones_of, zones_offering
from infra.errors import Problem
from infra.planning.subnets import subnet_plan
from infra.settings.checks.draft import Draft
from infra.settings.values import did_you_mean


def region_and_zones(draft: Draft) -> Iterator[Problem]:
    if draft.aws is None:
        return
    region = draft.aws.region
    if region not in regions():
        yield Problem(
            "aws.region",
            f'"{region}"',
            f"a region that offers GPU instances ({len(regions())} known)",
            did_you_mean(region, regions(), f"choose one of: {', '.join(regions())}"),
        )
        return
    places = [("network.zones", draft.network.zones)] if draft.network else []
    places += [(f"nodePools[{index}].zones", pool.zones) for index, pool in draft.node_pools]
    for path, zones in places:
        for position, zone in enumerate(zones):
            if zone not in zones_of(region):
                yield Problem(
                    f"{path}[{position}]",
                    f'"{zone}"',
                    f"a zone id of {region} with GPU instances: {', '.join(sorted(zones_of(region)))}",
                    did_you_mean(zone, zones_of(region), "use zone ids (use2-az1), not letters (us-east-2a)"),
                )


def enough_zones(draft: Draft) -> Iterator[Problem]:
    if draft.network is not None and len(set(draft.network.zones)) < 2:
        yield Problem(
            "network.zones",
            f"{len(set(draft.network.zones))} zone(s)",
            "two or more zones, which EKS needs",
            "add a zone id",
        )


def ranges_apart(draft: Draft) -> Iterator[Problem]:
    ranges: list[tuple[str, IPv4Network]] = []
    if draft.network:
        ranges.append(("network.cidr", IPv4Network(draft.network.cidr)))
        for index, cidr in enumerate(draft.network.secondary_cidrs):
            ranges.append((f"network.secondaryCidrs[{index}]", IPv4Network(cidr)))
    if draft.cluster:
        ranges.append(("cluster.serviceCidr", IPv4Network(draft.cluster.service_cidr)))
    for position, (path, network) in enumerate(ranges):
        for other_path, other in ranges[:position]:
            if network.overlaps(other):
                free = _free_range(network, [taken for _, taken in ranges])
                yield Problem(
                    path,
                    f'"{network}"',
                    f"a range apart from {other_path} ({other})",
                    f"move one of them, for example to {free}" if free else "make one of them smaller",
                )


def _free_range(network: IPv4Network, taken: list[IPv4Network]) -> IPv4Network | None:
    """A private range as large as `network` that overlaps none of `taken`; None when there is none."""
    size = network.num_addresses
    for space in ("10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10", "192.168.0.0/16"):
        whole = IPv4Network(space)
        start, end = int(whole.network_address), int(whole.broadcast_address)
        while start + size - 1 <= end:
            candidate = IPv4Network((start, network.prefixlen))
            clashes = [int(other.broadcast_address) for other in taken if candidate.overlaps(other)]
            if not clashes:
                return candidate
            start = (max(clashes) // size + 1) * size  # the first place of that size behind what is taken
    return None


def ranges_hold_subnets(draft: Draft) -> Iterator[Problem]:
    """The ranges are large enough for the subnets of every zone."""
    network = draft.network
    if network is None or network.existing or not network.zones:
        return
    try:
        subnet_plan(network.cidr, network.secondary_cidrs, network.zones)
    except ValueError as error:
        path = "network.secondaryCidrs[0]" if network.secondary_cidrs else "network.cidr"
        found = network.secondary_cidrs[0] if network.secondary_cidrs else network.cidr
        yield Problem(path, f'"{found}"', f"a range large enough: {error}", "give a larger range, such as a /16")


def control_plane_zones(draft: Draft) -> Iterator[Problem]:
    """EKS puts no control plane into some zones."""
    if draft.network is None or draft.aws is None:
        return
    for position, zone in enumerate(draft.network.zones):
        if zone in ZONES_WITHOUT_CONTROL_PLANE:
            others = sorted(zones_of(draft.aws.region) - ZONES_WITHOUT_CONTROL_PLANE - set(draft.network.zones))
            yield Problem(
                f"network.zones[{position}]",
                f'"{zone}"',
                "a zone where EKS can place the control plane's interfaces",
                f"use another zone: {', '.join(others)}",
            )


def pool_zones_in_network(draft: Draft) -> Iterator[Problem]:
    """A pool's zones are zones of the network."""
    if draft.network is None:
        return
    for index, pool in draft.node_pools:
        for position, zone in enumerate(pool.zones):
            if zone not in draft.network.zones:
                yield Problem(
                    f"nodePools[{index}].zones[{position}]",
                    f'"{zone}"',
                    f"a zone under network.zones: {', '.join(draft.network.zones)}",
                    f"add {zone} to network.zones, or name one of these",
                )


def machines_offered(draft: Draft) -> Iterator[Problem]:
    """Every instance type a pool names is offered in one of its zones, and every zone it names offers one."""
    if draft.aws is None or draft.aws.region not in regions():
        return
    region = draft.aws.region
    for index, pool in draft.node_pools:
        zones = draft.zones_of(pool)
        known = [zone for zone in zones if zone in zones_of(region)]
        offered = {machine.name: zones_offering(machine.name, region) for machine in pool.candidates}
        for position, name in enumerate(pool.instance_types):
            if known and not offered[name] & set(known):
                yield Problem(
                    f"nodePools[{index}].instanceTypes[{position}]",
                    f'"{name}"',
                    f"an instance type offered in {', '.join(known)}; this one is offered in"
                    f" {', '.join(sorted(offered[name])) or 'no zone of ' + region}",
                    "name another type or another zone",
                )
        for position, zone in enumerate(pool.zones):
            if zone in known and not any(zone in places for places in offered.values()):
                yield Problem(
                    f"nodePools[{index}].zones[{position}]",
                    f'"{zone}"',
                    f"a zone that offers one of the pool's types: {', '.join(sorted(set().union(*offered.values())))}",
                    "name another zone",
                )


def reservations_in_pool(draft: Draft) -> Iterator[Problem]:
    """A reservation is in a zone of its pool."""
    for index, pool in draft.node_pools:
        zones = draft.zones_of(pool)
        for position, reservation in enumerate(pool.reservations):
            if zones and reservation.zone not in zones:
                yield Problem(
                    f"nodePools[{index}].reservations[{position}].zone",
                    f'"{reservation.zone}"',
                    f"a zone of the pool: {', '.join(zones)}",
                    f"add {reservation.zone} to the pool's zones, or name a reservation there",
                )
