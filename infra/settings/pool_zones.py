"""In which zones the pools of a model can start nodes, as far as the settings say."""

from collections.abc import Iterable

from infra.catalog.zones import regions, zones_offering
from infra.settings.network import NetworkSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.target import AwsSettings


def zones_of_pools(
    pools: Iterable[NodePoolSettings], network: NetworkSettings | None, aws: AwsSettings | None
) -> frozenset[str]:
    """Zones that the pools may use and that sell one of their machines; empty where the settings name none."""
    found: set[str] = set()
    for pool in pools:
        zones = set(pool.zones or (network.zones if network else ()))
        if aws and aws.region in regions():
            zones &= set().union(*(zones_offering(machine.name, aws.region) for machine in pool.candidates))
        found |= zones
    return frozenset(found)
