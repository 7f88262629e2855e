"""Empty one Karpenter pool, and end whatever happens.

Karpenter does the work as long as it lives: it evicts pods within their budgets, ends machines and clears its
finalizers. The bound is given to Karpenter too, as the termination time of every NodeClaim, so that pods which block a
drain are deleted in time to have their own grace period (karpenter 1.14, node termination controller). Where Karpenter
does not finish, the machines are ended here and the finalizers of what has no machine any more are removed. Every step
starts from what the cluster says, so a run that was killed is continued by the next one.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from infra.conventions import NODEPOOL_LABEL
from infra.errors import PlatformError
from infra.planning.pool_drain import PoolDrainBounds
from teardown.cluster import Cluster, Json
from teardown.machines import Machine, Machines
from teardown.waiting import Clock, Say, wait_until_nothing

TERMINATION_ANNOTATION = "karpenter.sh/nodeclaim-termination-timestamp"
KARPENTER_FINALIZER = "karpenter.sh/termination"

_POOLS = "/apis/karpenter.sh/v1/nodepools"
_CLAIMS = "/apis/karpenter.sh/v1/nodeclaims"
_NODE_CLASSES = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses"
_NODES = "/api/v1/nodes"
_NAMED_PODS = 3


class PoolDrain:
    """The drain of one pool."""

    def __init__(self, cluster: Cluster, machines: Machines, pool: str, say: Say, clock: Clock | None = None) -> None:
        self._cluster, self._machines, self._pool = cluster, machines, pool
        self._say, self._clock = say, clock or Clock()

    def run(self, bounds: PoolDrainBounds) -> None:
        """Drain the pool; afterwards neither nodes nor machines nor launch templates of it are left.

        Raises:
            PlatformError: when something is left at the end of all bounds, named.
        """
        self._close(bounds)
        left = self._wait(self._claims_left, bounds.patience + bounds.machines)
        if left:
            self._say(f"Karpenter did not finish: {'; '.join(left)}")
            self._end_machines(bounds)
        self._remove_node_class(bounds)
        still = [*self._claims_left(), *map(str, self._machines.of_pool(self._pool))]
        if still:
            raise PlatformError(
                f"the pool {self._pool} is not empty: {'; '.join(still)}",
                "see what holds it, then run the destroy again; it goes on from here",
            )
        self._say(f"the pool {self._pool} is empty")

    def _close(self, bounds: PoolDrainBounds) -> None:
        """No new nodes, and an end to the old ones."""
        claims = self._claims()
        self._cluster.delete(f"{_POOLS}/{self._pool}")
        self._say(f"draining {self._pool}: {len(claims)} nodes, at most {bounds.patience:.0f} s for their pods")
        latest = datetime.now(UTC) + timedelta(seconds=bounds.patience)
        for claim in claims:
            path = f"{_CLAIMS}/{claim['metadata']['name']}"
            given = claim["metadata"].get("annotations", {}).get(TERMINATION_ANNOTATION)
            if given is None or datetime.fromisoformat(given) > latest:
                self._cluster.merge(
                    path, {"metadata": {"annotations": {TERMINATION_ANNOTATION: latest.strftime("%Y-%m-%dT%H:%M:%SZ")}}}
                )
            self._cluster.delete(path)

    def _end_machines(self, bounds: PoolDrainBounds) -> None:
        """What Karpenter could not end."""
        machines = self._machines.of_pool(self._pool)
        if machines:
            self._say(f"ending {', '.join(machine.identifier for machine in machines)}")
            self._machines.terminate(machines)
            self._wait(lambda: [str(machine) for machine in self._machines.of_pool(self._pool)], bounds.machines)
        living = self._machines.of_pool(self._pool)
        for claim in self._claims():
            if not _holds(claim, living):
                self._release(claim)
        self._wait(self._claims_left, bounds.objects)

    def _release(self, claim: Json) -> None:
        """Let go of a node whose machine is gone: the finalizers only kept the two together."""
        name = claim["metadata"]["name"]
        self._say(f"{name} has no machine any more; its finalizer is removed")
        if node := self._node_of(claim):
            path = f"{_NODES}/{node['metadata']['name']}"
            self._cluster.delete(path)
            self._cluster.remove_finalizers(path, KARPENTER_FINALIZER)
        self._cluster.remove_finalizers(f"{_CLAIMS}/{name}", KARPENTER_FINALIZER)

    def _remove_node_class(self, bounds: PoolDrainBounds) -> None:
        """Delete the node class of the pool's name, with the launch templates and profiles Karpenter made for it."""
        path = f"{_NODE_CLASSES}/{self._pool}"
        self._cluster.delete(path)
        left = self._wait(lambda: [f"EC2NodeClass {self._pool}"] if self._cluster.get(path) else [], bounds.objects)
        removed = self._machines.remove_leftovers(self._pool)
        if removed:
            self._say(f"removed what the node class left: {', '.join(removed)}")
        if left and self._cluster.get(path):
            self._say(f"EC2NodeClass {self._pool} has nothing left in AWS; its finalizers are removed")
            self._cluster.remove_finalizers(path)

    def _claims(self) -> list[Json]:
        return self._cluster.items(_CLAIMS, labelSelector=f"{NODEPOOL_LABEL}={self._pool}")

    def _claims_left(self) -> list[str]:
        return [f"{claim['metadata']['name']} ({self._reason(claim)})" for claim in self._claims()]

    def _reason(self, claim: Json) -> str:
        """What a node waits for, in words."""
        node = self._node_of(claim)
        if node is None:
            return "its machine ends"
        pods = list(self._pods_to_leave(node["metadata"]["name"]))
        if not pods:
            return f"the node {node['metadata']['name']} is empty, its machine ends"
        more = f" and {len(pods) - _NAMED_PODS} more" if len(pods) > _NAMED_PODS else ""
        return "; ".join(pods[:_NAMED_PODS]) + more

    def _pods_to_leave(self, node: str) -> Iterator[str]:
        budgets = self._cluster.items("/apis/policy/v1/poddisruptionbudgets")
        for pod in self._cluster.items("/api/v1/pods", fieldSelector=f"spec.nodeName={node}"):
            if stays_with_its_node(pod):
                continue
            metadata = pod["metadata"]
            name = f"{metadata['namespace']}/{metadata['name']}"
            if metadata.get("deletionTimestamp"):
                yield f"{name} ends, with {metadata.get('deletionGracePeriodSeconds', 0)} s of grace"
            elif blocking := [item["metadata"]["name"] for item in budgets if _blocks(item, pod)]:
                yield f"{name} is kept by the PodDisruptionBudget {blocking[0]}"
            else:
                yield f"{name} runs"

    def _node_of(self, claim: Json) -> Json | None:
        name = claim.get("status", {}).get("nodeName")
        return self._cluster.get(f"{_NODES}/{name}") if name else None

    def _wait(self, left: Callable[[], Sequence[str]], seconds: float) -> list[str]:
        return wait_until_nothing(left, seconds, self._say, self._clock)


def stays_with_its_node(pod: Json) -> bool:
    """Whether a drain leaves the pod alone: it has ended, or belongs to the node (DaemonSet, static pod)."""
    kinds = {owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])}
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed") or bool(kinds & {"DaemonSet", "Node"})


def _blocks(budget: Json, pod: Json) -> bool:
    """Whether a PodDisruptionBudget forbids the eviction of the pod now."""
    if budget["metadata"]["namespace"] != pod["metadata"]["namespace"]:
        return False
    if budget.get("status", {}).get("disruptionsAllowed", 0) > 0:
        return False
    wanted = budget["spec"].get("selector", {}).get("matchLabels", {})
    labels = pod["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in wanted.items())


def _holds(claim: Json, machines: list[Machine]) -> bool:
    identifier = str(claim.get("status", {}).get("providerID", "")).rpartition("/")[2]
    return identifier in {machine.identifier for machine in machines}
