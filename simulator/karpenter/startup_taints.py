"""Lifting startup taints in an environment where nothing runs that would.

A startup taint waits for an agent on the node, such as the MIG manager or a CSI driver. Those are containers, and no
container starts here, so `up` lifts the taints itself, once Karpenter has registered the node, and says so. In a
scenario they stay until the scenario lifts them.
"""

from collections.abc import Iterable

from infra.conventions import NODEPOOL_LABEL
from infra.plan.manifests import Manifest
from infra.planning.placement import node_pools
from infra.progress import Progress
from simulator.client import ApiError, Client, Json

# Karpenter sets it when labels and taints of the NodeClaim are on the node.
_REGISTERED = "karpenter.sh/registered"


class StartupTaints:
    """The startup taints of the NodePools among `manifests`."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._of_pool = {pool.name: pool.startup_taints for pool in node_pools(manifests) if pool.startup_taints}

    def lift(self, client: Client, progress: Progress) -> list[str]:
        """Take them off every registered node that has them; returns the nodes' names."""
        if not self._of_pool:
            return []
        nodes = client.items("/api/v1/nodes", labelSelector=f"{NODEPOOL_LABEL},{_REGISTERED}=true")
        return [node["metadata"]["name"] for node in nodes if self._lift_from(node, client, progress)]

    def _lift_from(self, node: Json, client: Client, progress: Progress) -> bool:
        metadata, taints = node["metadata"], node["spec"].get("taints") or []
        waited_for = {(item.key, item.effect) for item in self._of_pool.get(metadata["labels"][NODEPOOL_LABEL], ())}
        kept = [taint for taint in taints if (taint["key"], taint["effect"]) not in waited_for]
        if len(kept) == len(taints):
            return False
        # The version refuses the change when Karpenter or the node controller wrote the taints meanwhile.
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "spec": {"taints": kept}}
        try:
            client.merge(f"/api/v1/nodes/{metadata['name']}", body)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
            return False
        lifted = sorted(taint["key"] for taint in taints if taint not in kept)
        progress.note(f"{metadata['name']}: startup taint {', '.join(lifted)} lifted; nothing here would do it")
        return True
