"""EC2 takes a spot machine back; the baseline serves on, and the lost server comes back elsewhere."""

import time
from collections.abc import Callable

from simulator.karpenter.interruption import reclaim, warn
from simulator.scenarios.cluster import Cluster, Node
from simulator.scenarios.observing import Observations
from simulator.scenarios.scenario import Scenario
from simulator.throwaway import Throwaway

_NAMESPACE = "models"
# As in the stack file: two machines of the baseline, one more server than they hold.
_BASELINE, _SERVERS = 2, 3

_NODE_SECONDS = 40.0
# EC2 gives two minutes (EC2 user guide, spot interruption notices). Pods end at once here, so less shows the same.
_NOTICE_SECONDS = 30.0


def _story(environment: Throwaway, observations: Observations) -> None:
    cluster, client = Cluster(environment.client), environment.client
    victim = _before(cluster, observations)
    lowest = _Lowest(lambda: cluster.ready(_NAMESPACE))

    warned = time.monotonic()
    claim = warn(client, victim.name)
    observations.saw(f"EC2 warns that it takes {victim.name}; Karpenter deletes NodeClaim {claim}")

    def gone() -> bool:
        lowest.look()
        return victim.name not in {node.name for node in cluster.nodes()} and claim not in cluster.node_claims()

    observations.await_that(
        "the node drained and its finalizers cleared before EC2 takes the machine",
        gone,
        _NOTICE_SECONDS,
        lambda: f"nodes {', '.join(node.name for node in cluster.nodes())}; NodeClaims {cluster.node_claims()}",
    )
    left = _NOTICE_SECONDS - (time.monotonic() - warned)
    observations.saw(f"the node is drained and gone, NodeClaim and finalizers too, {left:.0f} s before the notice ends")
    observations.promise("EC2 finds no machine to take", not reclaim(client, victim.name), "the node was still there")
    _after(victim, cluster, observations, lowest)


def _before(cluster: Cluster, observations: Observations) -> Node:
    """Every server ready; returns the node on spot."""
    _all_ready(cluster, observations, lambda: None)
    pools = sorted(node.pool for node in cluster.nodes())
    observations.promise(
        "two servers run on the on-demand baseline, one on spot",
        pools == ["baseline", "baseline", "burst"],
        ", ".join(pools),
    )
    return cluster.nodes("burst")[0]


def _after(victim: Node, cluster: Cluster, observations: Observations, lowest: "_Lowest") -> None:
    _all_ready(cluster, observations, lowest.look)
    nodes = cluster.nodes("burst")
    new = [node for node in nodes if node.name != victim.name]
    observations.promise("the lost server runs on a new node of the pool burst", len(new) == 1, f"{len(new)} nodes")
    observations.promise(
        f"never fewer than {_BASELINE} servers were ready",
        lowest.value >= _BASELINE,
        f"{lowest.value} at the lowest",
    )
    leaving = [node.name for node in cluster.nodes() if node.leaving]
    claims = cluster.node_claims()
    observations.promise(
        f"{_SERVERS} nodes and as many NodeClaims; nothing waits for a finalizer",
        not leaving and len(claims) == len(cluster.nodes()) == _SERVERS,
        f"{len(cluster.nodes())} nodes, {len(claims)} NodeClaims, on their way out: {', '.join(leaving) or 'none'}",
    )


def _all_ready(cluster: Cluster, observations: Observations, meanwhile: Callable[[], object]) -> None:
    def ready() -> bool:
        meanwhile()
        return cluster.ready(_NAMESPACE) == _SERVERS

    observations.await_that(
        f"{_SERVERS} servers ready", ready, _NODE_SECONDS, lambda: f"{cluster.ready(_NAMESPACE)} ready"
    )
    observations.saw(f"{_SERVERS} of {_SERVERS} servers are ready")


class _Lowest:
    """The lowest number seen so far."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self.value = count()

    def look(self) -> None:
        self.value = min(self.value, self._count())


SCENARIO = Scenario(
    "spot-loss",
    "a spot machine is taken back: the baseline keeps serving, the lost server returns on a new node, nothing is left",
    _story,
)
