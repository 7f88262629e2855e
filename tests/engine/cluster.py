"""The Kubernetes cluster of a world: a throw-away environment with all controllers, and simulated nodes."""

from collections.abc import Sequence
from dataclasses import replace

from infra.plan import Manifest
from simulator.apply import apply_definitions
from simulator.client import Client, wait_for
from simulator.crds import SOURCES, custom_resource_definitions
from simulator.environment import Throwaway
from simulator.node_objects import put_nodes, remove_nodes
from simulator.nodes import SimulatedNode, nodes_for
from simulator.status import read_nodes
from tests.engine.providers.kube_components import brought_by_files
from tests.engine.providers.kube_releases import brought_by_charts

_BUILT_IN = {"default", "kube-system", "kube-public", "kube-node-lease"}
_READY_SECONDS = 60.0
_CONTEXT = "gpu-platform-local"  # as `make up` calls it, and Pulumi.local.yaml expects it


class EngineCluster:
    """A real API server with scheduler, controller-manager and kwok. Worlds use it one after the other."""

    def __init__(self, environment: Throwaway) -> None:
        self._environment = environment

    @property
    def client(self) -> Client:
        """Its administrator."""
        return self._environment.client

    @property
    def kubeconfig(self) -> str:
        """Content of a kubeconfig for its administrator."""
        text = self._environment.kubeconfig.read_text(encoding="utf-8")
        return text.replace(f"gpu-platform-{self._environment.kubeconfig.parent.name}", _CONTEXT)

    def install_definitions(self) -> None:
        """The CRDs that every environment has, where no release of the program brings them."""
        apply_definitions(self.client, custom_resource_definitions([source for source in SOURCES if not source.group]))

    def add_nodes(self, manifests: Sequence[Manifest], spares: bool) -> None:
        """Nodes that have room for the pods of a plan. Here they stand before their NodePools do."""
        nodes = nodes_for(manifests)
        put_nodes(self.client, [*nodes, *(_spares(nodes) if spares else [])], lambda _: None)
        assert wait_for(lambda: all(node.ready for node in read_nodes(self.client)), _READY_SECONDS)

    def sweep(self) -> None:
        """Take everything away, so that the next world finds a new cluster, also after a test that failed."""
        namespaces = [f"/api/v1/namespaces/{name}" for name in self._names("v1", "Namespace") if name not in _BUILT_IN]
        releases = [f"/api/v1/namespaces/kube-system/secrets/{name}" for name in self._releases()]
        remove_nodes(self.client, [node.name for node in read_nodes(self.client)])
        # Those that the program brings. The others stay: API servers are slow to let many of them go.
        definitions = [self.client.path_of(item.body) for item in _brought()]
        gone = [*namespaces, *releases, *definitions]
        for item in gone:
            self.client.delete(item)
        assert wait_for(lambda: not any(self.client.exists(item) for item in gone), _READY_SECONDS)

    def left(self) -> list[str]:
        """What an environment put there and did not take away again."""
        found = [f"Namespace {name}" for name in self._names("v1", "Namespace") if name not in _BUILT_IN]
        found += [f"release {name}" for name in self._releases()]
        for definition in _brought():
            spec = definition.body["spec"]
            kind, version = spec["names"]["kind"], f"{spec['group']}/{spec['versions'][-1]['name']}"
            if self.client.exists(self.client.path_of(definition.body)):
                found += [f"{kind} {name}" for name in self._names(version, kind)]
        return found

    def _releases(self) -> list[str]:
        return [name for name in self._names("v1", "Secret", "kube-system") if name.startswith("sh.helm.release.")]

    def _names(self, api_version: str, kind: str, namespace: str = "") -> list[str]:
        return [item["metadata"]["name"] for item in self.client.items(self.client.path(api_version, kind, namespace))]


def _spares(nodes: Sequence[SimulatedNode]) -> list[SimulatedNode]:
    """Every node once more.

    The engine creates servers in no order, and the scheduler may put others on a machine, or in a zone, that a large
    one or a group's follower needs; Karpenter would start another then.
    """
    return [_renamed(node, f"{node.name}-spare") for node in nodes]


def _renamed(node: SimulatedNode, name: str) -> SimulatedNode:
    metadata = {**node.body["metadata"], "name": name}
    metadata["labels"] = {**metadata["labels"], "kubernetes.io/hostname": name}
    return replace(node, name=name, body={**node.body, "metadata": metadata})


def _brought() -> list[Manifest]:
    """The CRDs that come and go with the program."""
    return [*brought_by_charts(), *brought_by_files()]
