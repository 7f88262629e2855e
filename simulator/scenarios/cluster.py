"""What scenarios look at and do: nodes, NodeClaims, pods and events of a cluster, and replicas."""

from dataclasses import dataclass

from infra.conventions import CAPACITY_TYPE_LABEL, INSTANCE_TYPE_LABEL, NODEPOOL_LABEL
from simulator.client import Client, Json
from simulator.workloads import pod_is_ready

_NODES = "/api/v1/nodes"
_NODE_CLAIMS = "/apis/karpenter.sh/v1/nodeclaims"


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `taints` in the form `key=value:Effect`, `joined` once Karpenter has put the pool's on it."""

    name: str
    pool: str
    instance_type: str
    capacity_type: str
    taints: tuple[str, ...]
    joined: bool
    leaving: bool

    def __str__(self) -> str:
        return f"{self.instance_type} {self.capacity_type} of pool {self.pool}"


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod; `node` is empty while it has none."""

    name: str
    node: str
    ready: bool
    leaving: bool


class Cluster:
    """A view of the cluster behind `client`, read anew with every question."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def nodes(self, pool: str = "") -> list[Node]:
        """Every node, oldest first, or those of one pool."""
        items = sorted(self._client.items(_NODES), key=lambda item: item["metadata"]["creationTimestamp"])
        return [node for node in map(_node, items) if pool in {"", node.pool}]

    def node_claims(self) -> list[str]:
        """Names of the NodeClaims, those that are on their way out among them."""
        return [item["metadata"]["name"] for item in self._client.items(_NODE_CLAIMS)]

    def pods(self, namespace: str) -> list[Pod]:
        """The pods of a namespace that have not ended."""
        items = self._client.items(f"/api/v1/namespaces/{namespace}/pods")
        return [_pod(item) for item in items if item["status"].get("phase") not in {"Succeeded", "Failed"}]

    def ready(self, namespace: str) -> int:
        """How many pods are ready and not on their way out."""
        return sum(pod.ready and not pod.leaving for pod in self.pods(namespace))

    def events(self, name: str, source: str) -> list[str]:
        """Messages of the events about the object `name` that `source` reported."""
        items = self._client.items("/api/v1/events", fieldSelector=f"involvedObject.name={name}")
        return [item["message"] for item in items if source in {item.get("reportingComponent"), _component(item)}]

    def scale(self, namespace: str, deployment: str, replicas: int) -> None:
        """Ask for that many replicas."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
        self._client.merge(path, {"spec": {"replicas": replicas}})


def _component(event: Json) -> str:
    return str((event.get("source") or {}).get("component", ""))


def _node(item: Json) -> Node:
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    return Node(
        name=metadata["name"],
        pool=labels.get(NODEPOOL_LABEL, ""),
        instance_type=labels.get(INSTANCE_TYPE_LABEL, ""),
        capacity_type=labels.get(CAPACITY_TYPE_LABEL, ""),
        taints=tuple(_taint(taint) for taint in item["spec"].get("taints") or ()),
        joined=labels.get("karpenter.sh/registered") == "true",
        leaving="deletionTimestamp" in metadata,
    )


def _taint(taint: Json) -> str:
    return f"{taint['key']}{'=' + taint['value'] if taint.get('value') else ''}:{taint['effect']}"


def _pod(item: Json) -> Pod:
    metadata = item["metadata"]
    return Pod(metadata["name"], item["spec"].get("nodeName", ""), pod_is_ready(item), "deletionTimestamp" in metadata)
