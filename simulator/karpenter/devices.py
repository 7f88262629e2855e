"""Devices of divided GPUs on nodes that Karpenter started.

The kwok provider makes every node of an instance type alike, with whole GPUs. On a real node the MIG manager cuts them
and the device plugin reports what came of it; neither runs here, so `up` writes their result on each node that has
joined: the devices of its pool, from the NodeOverlays or the layout, before its startup taint is lifted.
"""

from collections.abc import Iterable
from decimal import Decimal

from infra.conventions import NODEPOOL_LABEL
from infra.plan.manifests import Manifest
from infra.planning.placement import NodePool, node_pools, quantity
from infra.planning.placement.offers import meets
from infra.progress import Progress
from simulator.client import ApiError, Client, Json

_REGISTERED = "karpenter.sh/registered"
# Resources of NVIDIA's device plugin. Others that overlays add are in the instance types already.
DEVICE_PREFIX = "nvidia.com/"


class DividedDevices:
    """What the plugin would report on nodes of the pools among `manifests`."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._pools = {pool.name: pool for pool in node_pools(manifests) if _divides(pool)}

    def report(self, client: Client, progress: Progress) -> None:
        """Write the devices of every registered node of these pools that shows others."""
        if not self._pools:
            return
        for node in client.items("/api/v1/nodes", labelSelector=f"{NODEPOOL_LABEL},{_REGISTERED}=true"):
            pool = self._pools.get(node["metadata"]["labels"][NODEPOOL_LABEL])
            devices = _devices(pool, node) if pool else {}
            if any(_amount(node, key) != count for key, count in devices.items()):
                self._write(client, node["metadata"]["name"], devices, progress)

    def _write(self, client: Client, name: str, devices: dict[str, Decimal], progress: Progress) -> None:
        counts = {key: str(count) for key, count in devices.items()}
        try:
            client.merge(f"/api/v1/nodes/{name}/status", {"status": {"capacity": counts, "allocatable": counts}})
        except ApiError as error:
            if error.status not in {404, 409}:  # gone, or written at the same moment: the next turn sees to it
                raise
            return
        shown = ", ".join(f"{count} {key}" for key, count in sorted(counts.items()))
        progress.note(f"{name}: its GPUs are divided into {shown}; nothing here would do it")


def _divides(pool: NodePool) -> bool:
    return any(key.startswith(DEVICE_PREFIX) for overlay in pool.overlays for key in overlay.capacity)


def _devices(pool: NodePool, node: Json) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for overlay in pool.overlays:
        if meets(node["metadata"]["labels"], overlay.requirements):
            mine = {key: count for key, count in overlay.capacity.items() if key.startswith(DEVICE_PREFIX)}
            found = {**mine, **found}
    return found


def _amount(node: Json, key: str) -> Decimal | None:
    value = (node.get("status") or {}).get("allocatable", {}).get(key)
    return None if value is None else quantity(value)
