"""Where GPU instance types are offered, by availability zone id.

Zone ids (`use1-az2`) are the same for every account; zone letters (`us-east-1a`) are not.
"""

from functools import cache

from infra.catalog.tables import read_table

# EKS puts no control-plane network interface in these zones.
# Source: Amazon EKS user guide, network requirements for subnets (December 2024 edition).
ZONES_WITHOUT_CONTROL_PLANE = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})


@cache
def _offerings() -> dict[str, frozenset[tuple[str, str]]]:
    """(region, zone id) pairs of each instance type."""
    found: dict[str, set[tuple[str, str]]] = {}
    for row in read_table("gpu_zone_offerings"):
        found.setdefault(row["instance_type"], set()).add((row["region"], row["zone_id"]))
    return {name: frozenset(places) for name, places in found.items()}


def zones_offering(instance_type: str, region: str) -> frozenset[str]:
    """Zone ids of `region` where `instance_type` is offered; empty when it is offered in none."""
    return frozenset(zone for place, zone in _offerings().get(instance_type, frozenset()) if place == region)


@cache
def zones_of(region: str) -> frozenset[str]:
    """Zone ids of `region` that offer any GPU instance type."""
    return frozenset(zone for places in _offerings().values() for place, zone in places if place == region)


@cache
def regions() -> tuple[str, ...]:
    """Regions that offer any GPU instance type, sorted."""
    return tuple(sorted({place for places in _offerings().values() for place, _ in places}))
