"""What an environment is like right now, as plain values for people and machines."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra.errors import PlatformError
from simulator import processes
from simulator.client import Client, Json
from simulator.control_plane import client_of
from simulator.folders import Layout
from simulator.state import State
from simulator.workloads import pod_is_ready


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One simulated node."""

    name: str
    instance_type: str
    pool: str
    capacity_type: str
    zone: str
    gpus: int
    ready: bool


@dataclass(frozen=True, slots=True)
class PodStatus:
    """One pod; `node` is empty while it has none."""

    namespace: str
    name: str
    node: str
    phase: str
    ready: bool


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process of the control plane."""

    name: str
    pid: int
    alive: bool


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """One environment.

    Attributes:
        server: URL of the API server.
        kubernetes_version: such as `v1.36.3`; empty when the API server does not answer.
        nodes, pods: empty when the API server does not answer.
        phases: seconds the last `up` spent, by phase, in their order.
    """

    name: str
    kubeconfig: Path
    server: str
    kubernetes_version: str
    nodes: tuple[NodeStatus, ...] = ()
    pods: tuple[PodStatus, ...] = ()
    processes: tuple[ProcessStatus, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        """Whether every process lives and the API server answers."""
        return bool(self.kubernetes_version) and all(process.alive for process in self.processes)

    def as_json(self) -> dict[str, Any]:
        """The status as JSON data."""
        return {**asdict(self), "kubeconfig": str(self.kubeconfig), "running": self.is_running}


def read_status(layout: Layout, state: State) -> EnvironmentStatus:
    """The status of the environment in `layout`; asks the API server when it runs."""
    alive = tuple(
        ProcessStatus(record.name, record.pid, processes.find(record) is not None) for record in state.processes
    )
    version, nodes, pods = "", (), ()  # type: tuple[str, tuple[NodeStatus, ...], tuple[PodStatus, ...]]
    # Without etcd the API server would keep every question waiting.
    if {"etcd", "kube-apiserver"} <= {process.name for process in alive if process.alive}:
        try:
            client = client_of(layout, state)
            version = str(client.get("/version")["gitVersion"])
            nodes = tuple(_node(item) for item in client.items("/api/v1/nodes"))
            pods = tuple(_pod(item) for item in client.items("/api/v1/pods"))
            client.close()
        except PlatformError:
            version, nodes, pods = "", (), ()  # it is starting, stopping or broken: `is_running` says so
    return EnvironmentStatus(
        name=layout.folder.name,
        kubeconfig=layout.kubeconfig,
        server=f"https://127.0.0.1:{state.ports['apiserver']}" if "apiserver" in state.ports else "",
        kubernetes_version=version,
        nodes=nodes,
        pods=pods,
        processes=alive,
        phases=dict(state.phases),
    )


def read_nodes(client: Client) -> tuple[NodeStatus, ...]:
    """The nodes as they are."""
    return tuple(_node(item) for item in client.items("/api/v1/nodes"))


def _node(item: Json) -> NodeStatus:
    labels = item["metadata"].get("labels", {})
    status = item.get("status") or {}
    return NodeStatus(
        name=item["metadata"]["name"],
        instance_type=labels.get("node.kubernetes.io/instance-type", ""),
        pool=labels.get("karpenter.sh/nodepool", ""),
        capacity_type=labels.get("karpenter.sh/capacity-type", ""),
        zone=labels.get("topology.kubernetes.io/zone", ""),
        gpus=int((status.get("capacity") or {}).get("nvidia.com/gpu", "0")),
        ready=pod_is_ready(item),
    )


def _pod(item: Json) -> PodStatus:
    return PodStatus(
        namespace=item["metadata"]["namespace"],
        name=item["metadata"]["name"],
        node=item["spec"].get("nodeName", ""),
        phase=(item.get("status") or {}).get("phase", ""),
        ready=pod_is_ready(item),
    )
