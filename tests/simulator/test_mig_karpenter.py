"""Divided GPUs with Karpenter's real controller: NodeOverlays make it start nodes for slices, of the right pool."""

import time

from infra.plan import Manifest, kubernetes_manifests
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator.client import until
from simulator.scenarios import SCENARIOS
from simulator.scenarios.cluster import Cluster
from simulator.throwaway import Throwaway, throwaway
from stacks.evaluation import evaluate


def manifests() -> list[Manifest]:
    """Those of the scenario; the servers are bound to no pool, so that what they ask for decides."""
    found = kubernetes_manifests(evaluate(load_stack_file(SCENARIOS["mig-slices"].stack_file), "stand-in"))
    return list(SCENARIOS["mig-slices"].prepare(found))


def settled(environment: Throwaway, seconds: float, ready: int) -> Cluster:
    cluster = Cluster(environment.client)
    for _ in until(time.monotonic() + seconds):
        environment.source.tend(environment.running, environment.progress)
        if cluster.ready("models") >= ready:
            break
    return cluster


def test_nodes_come_for_slices_and_have_them() -> None:
    with throwaway(SilentProgress(), manifests(), karpenter=True) as environment:
        cluster = settled(environment, 90, 8)

        pools = {node.name: node.pool for node in cluster.nodes()}
        placed = sorted((pod.name.rsplit("-", 2)[0], pools.get(pod.node, "nowhere")) for pod in cluster.pods("models"))
        assert placed == [("chat", "mixed"), *[("small-model", "small")] * 7]
        assert sorted(pools.values()) == ["mixed", "small"]


def test_without_overlays_karpenter_starts_nothing() -> None:
    """Else the test above would pass whatever the overlays say."""
    bare = [item for item in manifests() if item.kind != "NodeOverlay"]
    with throwaway(SilentProgress(), bare, karpenter=True) as environment:
        cluster = settled(environment, 8, 8)

        assert cluster.nodes() == []
        said = [text for pod in cluster.pods("models") for text in cluster.events(pod.name, "karpenter")]
        assert any("nvidia.com/mig-1g.10gb" in text for text in said)
