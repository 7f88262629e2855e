"""The Kubernetes cluster of a world: the embedded control plane with all controllers, and simulated nodes."""

from collections.abc import Sequence
from pathlib import Path

from infra.plan import Manifest
from infra.progress import SilentProgress
from simulator import control_plane
from simulator.apply import apply_definitions
from simulator.client import Client, Json, wait_for
from simulator.crds import custom_resource_definitions
from simulator.folders import Layout
from simulator.node_objects import put_nodes, remove_nodes
from simulator.nodes import nodes_for
from simulator.state import State
from simulator.status import read_nodes
from simulator.toolchain import ensure_tools

_BUILT_IN = {"default", "kube-system", "kube-public", "kube-node-lease"}
_READY_SECONDS = 60.0


class EngineCluster:
    """A real API server with scheduler, controller-manager and kwok."""

    def __init__(self, folder: Path) -> None:
        progress = SilentProgress()
        folder.mkdir(parents=True, mode=0o700)
        self.layout, self._state = Layout(folder), State()
        tools = ensure_tools(progress)
        try:
            self.client: Client = control_plane.start_api(self.layout, self._state, tools, progress)
            control_plane.start_controllers(self.layout, self._state, tools, progress)
        except BaseException:
            self.stop()
            raise

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of its administrator."""
        return self.layout.kubeconfig

    def stop(self) -> None:
        """End its processes."""
        control_plane.stop_all(self.layout, self._state)

    def install_definitions(self) -> None:
        """The CRDs, where no release of the program brings them."""
        apply_definitions(self.client, custom_resource_definitions())

    def add_nodes(self, manifests: Sequence[Manifest]) -> None:
        """Nodes that have room for the pods of a plan. Here they stand before their NodePools do."""
        put_nodes(self.client, nodes_for(manifests), lambda _: None)
        assert wait_for(lambda: all(node.ready for node in read_nodes(self.client)), _READY_SECONDS)

    def sweep(self) -> None:
        """Take nodes and CRDs away, so that the next world finds a new cluster."""
        remove_nodes(self.client, [node.name for node in read_nodes(self.client)])
        path = self.client.path("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        for item in self.client.items(path):
            self.client.delete(f"{path}/{item['metadata']['name']}")

    def left(self) -> list[str]:
        """What an environment put there and did not take away again."""
        found = [f"Namespace {name}" for name in self._names("v1", "Namespace") if name not in _BUILT_IN]
        found += [f"release {name}" for name in self._names("v1", "Secret", "kube-system")]
        for kind, version in (("NodePool", "karpenter.sh/v1"), ("EC2NodeClass", "karpenter.k8s.aws/v1")):
            if any(item["spec"]["names"]["kind"] == kind for item in self._definitions()):
                found += [f"{kind} {name}" for name in self._names(version, kind)]
        return found

    def _definitions(self) -> list[Json]:
        return self.client.items(self.client.path("apiextensions.k8s.io/v1", "CustomResourceDefinition"))

    def _names(self, api_version: str, kind: str, namespace: str = "") -> list[str]:
        return [item["metadata"]["name"] for item in self.client.items(self.client.path(api_version, kind, namespace))]
