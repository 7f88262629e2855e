"""Refuse a destroy under living consumers, before anything is touched.

The engine lets a stack go while others still use it: their pods would lose their nodes, and their load balancers and
volumes would outlive the controllers that could delete them, at a cost and in the way of the VPC. Who uses it is asked
of the cluster, because no state knows: app teams have programs of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.conventions import NODEPOOL_LABEL, STACK_LABEL, TEAM_LABEL
from infra.errors import PlatformError
from teardown.cluster import Cluster, Json
from teardown.drain import stays_with_its_node

# What EKS, its add-ons and this program run for the cluster itself.
_OF_THE_CLUSTER = frozenset({"kube-system", "kube-public", "kube-node-lease"})
_SHOWN = 12
_NAME_LABEL, _PART_LABEL = "app.kubernetes.io/name", "app.kubernetes.io/part-of"
_COMPONENT_LABEL = "app.kubernetes.io/component"
# What this program runs in a namespace of its own for a while, and nobody else waits for.
_ERRANDS = frozenset({"model-download", "canary-rollout", "canary-check"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What a stack takes away when it goes.

    Attributes:
        stack: its name.
        pools: Karpenter pools it made.
        controllers: whether Karpenter or the load balancer controller goes too: what they look after must be gone.
        cluster: whether the cluster itself goes: nothing may live on it.
        own: workloads of the same stack, as `namespace/name`; they go first and are no reason to refuse.
        operators: whether the platform's operators go too, with the namespaces that are theirs alone.
    """

    stack: str
    pools: frozenset[str]
    controllers: bool
    cluster: bool
    own: frozenset[str]
    operators: bool = False


def check_no_consumers(cluster: Cluster, scope: Scope) -> None:
    """Nothing, when nobody else uses what `scope` takes away.

    Raises:
        PlatformError: naming who does, and which stack they belong to where the namespace says so.
    """
    found = sorted(set(consumers(cluster, scope)))
    if not found:
        return
    stacks = sorted({stack for _, stack in found if stack and stack != scope.stack})
    shown = "\n".join(f"    {what}" + (f", of the stack {stack}" if stack else "") for what, stack in found[:_SHOWN])
    more = f"\n    and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    first = f"`pulumi destroy --stack {stacks[0]}` first" if stacks else "remove them first"
    raise PlatformError(
        f"the stack {scope.stack} is still in use; nothing was destroyed. Who uses it:\n{shown}{more}",
        f"{first}, or move them elsewhere; to destroy it under them set GPU_PLATFORM_TEARDOWN_SKIP=guard",
    )


def consumers(cluster: Cluster, scope: Scope) -> Iterator[tuple[str, str]]:
    """Who uses what goes: what it is, and the stack that its namespace names (empty when it names none)."""
    look = _Look(cluster, scope)
    yield from look.workloads()
    if scope.controllers or scope.cluster:
        yield from look.foreign_pools()
        yield from look.behind_load_balancers()
    if scope.cluster:
        yield from look.claims()


class _Look:
    def __init__(self, cluster: Cluster, scope: Scope) -> None:
        self._cluster, self._scope = cluster, scope
        labels = {
            namespace["metadata"]["name"]: namespace["metadata"].get("labels", {})
            for namespace in cluster.items("/api/v1/namespaces")
        }
        self._stack_of = {name: given.get(STACK_LABEL, "") for name, given in labels.items()}
        theirs = {name for name, given in labels.items() if _is_for_an_operator(given)} if scope.operators else set()
        self._beside = _OF_THE_CLUSTER | theirs

    def workloads(self) -> Iterator[tuple[str, str]]:
        """Pods of others, by their Deployment, Job or other owner, that run on what goes."""
        pool_of = {
            node["metadata"]["name"]: node["metadata"].get("labels", {}).get(NODEPOOL_LABEL)
            for node in self._cluster.items("/api/v1/nodes")
        }
        owners = {
            replicas["metadata"]["uid"]: owner
            for replicas in self._cluster.items("/apis/apps/v1/replicasets")
            for owner in replicas["metadata"].get("ownerReferences", [])
        }
        for pod in self._cluster.items("/api/v1/pods"):
            metadata = pod["metadata"]
            if stays_with_its_node(pod) or metadata["namespace"] in self._beside or self._is_own(metadata):
                continue
            wanted = {pool_of.get(pod["spec"].get("nodeName", "")), *_pools_named(pod)}
            if not (self._scope.cluster or wanted & self._scope.pools):
                continue
            owner = next(iter(metadata.get("ownerReferences", [])), {"kind": "Pod", "name": metadata["name"]})
            owner = owners.get(owner.get("uid", ""), owner)
            yield from self._others(owner["kind"], metadata["namespace"], owner["name"])

    def foreign_pools(self) -> Iterator[tuple[str, str]]:
        """NodePools that this stack did not make: without Karpenter their machines would run on for ever."""
        for pool in self._cluster.items("/apis/karpenter.sh/v1/nodepools"):
            if pool["metadata"]["name"] not in self._scope.pools:
                yield f"NodePool {pool['metadata']['name']}", pool["metadata"].get("labels", {}).get(STACK_LABEL, "")

    def behind_load_balancers(self) -> Iterator[tuple[str, str]]:
        """What has a load balancer that only its controller can delete."""
        for service in self._cluster.items("/api/v1/services"):
            if service["spec"].get("type") == "LoadBalancer" and service["metadata"]["namespace"] not in self._beside:
                yield from self._named("Service", service, " of type LoadBalancer")
        for path, kind in (
            ("/apis/networking.k8s.io/v1/ingresses", "Ingress"),
            ("/apis/gateway.networking.k8s.io/v1/gateways", "Gateway"),
        ):
            for thing in self._cluster.items(path):
                yield from self._named(kind, thing)

    def claims(self) -> Iterator[tuple[str, str]]:
        """Volumes that the cluster's drivers made and would delete with their claim."""
        for claim in self._cluster.items("/api/v1/persistentvolumeclaims"):
            if "volume.kubernetes.io/storage-provisioner" in claim["metadata"].get("annotations", {}):
                yield from self._named("PersistentVolumeClaim", claim)

    def _is_own(self, metadata: Json) -> bool:
        """Whether the stack's own component made it, whatever its controller calls it: groups, predictors of KServe."""
        labels, namespace = metadata.get("labels", {}), metadata["namespace"]
        if f"{namespace}/{labels.get(_NAME_LABEL)}" in self._scope.own:
            return True
        ours = labels.get(_PART_LABEL) == "gpu-platform" and self._stack_of.get(namespace) == self._scope.stack
        return ours and bool(self._scope.own) and labels.get(_COMPONENT_LABEL) in _ERRANDS

    def _named(self, kind: str, thing: Json, remark: str = "") -> Iterator[tuple[str, str]]:
        if not self._is_own(thing["metadata"]):
            yield from self._others(kind, thing["metadata"]["namespace"], thing["metadata"]["name"], remark)

    def _others(self, kind: str, namespace: str, name: str, remark: str = "") -> Iterator[tuple[str, str]]:
        if f"{namespace}/{name}" not in self._scope.own:
            yield f"{kind} {namespace}/{name}{remark}", self._stack_of.get(namespace, "")


def _is_for_an_operator(labels: Json) -> bool:
    """Whether a namespace is one of those this program makes for operators, and not a team's or a stack's."""
    return labels.get(_PART_LABEL) == "gpu-platform" and not {STACK_LABEL, TEAM_LABEL} & set(labels)


def _pools_named(pod: Json) -> Iterator[str]:
    """Pools that a pod asks for by name; it may still wait for a node."""
    spec = pod["spec"]
    if named := spec.get("nodeSelector", {}).get(NODEPOOL_LABEL):
        yield named
    required = (
        spec.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", {})
    )
    for term in required.get("nodeSelectorTerms", []):
        for expression in term.get("matchExpressions", []):
            if expression["key"] == NODEPOOL_LABEL and expression["operator"] == "In":
                yield from expression["values"]
