"""A cluster with Karpenter's real controller for the drain, and one without nodes for the guard."""

from collections.abc import Callable, Iterator

import pytest

from infra.plan import Manifest, kubernetes_manifests
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator.environment import throwaway
from simulator.throwaway import Throwaway
from stacks.evaluation import evaluate
from teardown.cluster import Cluster
from teardown.waiting import Clock
from tests.conftest import ROOT

POOL = "inference-l4"


class FastClock(Clock):
    """Time that passes as fast as it is waited for."""

    def __init__(self) -> None:
        self.time = 0.0
        self.naps: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.naps.append(seconds)


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture(scope="session")
def pool_manifests() -> list[Manifest]:
    """NodePool and EC2NodeClass of local."""
    plan = evaluate(load_stack_file(ROOT / "Pulumi.local.yaml"), "stand-in")
    return [item for item in kubernetes_manifests(plan) if item.kind in ("NodePool", "EC2NodeClass")]


@pytest.fixture(scope="package")
def cluster_with_karpenter(pool_manifests: list[Manifest]) -> Iterator[Throwaway]:
    """The embedded environment with Karpenter; each test fills and empties the pool."""
    with throwaway(SilentProgress(), pool_manifests, karpenter=True) as environment:
        yield environment


@pytest.fixture
def cluster(cluster_with_karpenter: Throwaway) -> Cluster:
    """That environment as the hooks see it."""
    return Cluster.reach("local", cluster_with_karpenter.kubeconfig.read_text(encoding="utf-8"), None)


@pytest.fixture
def spoken() -> tuple[list[str], Callable[[str], None]]:
    """What a hook said, and the function to give it."""
    said: list[str] = []
    return said, said.append
