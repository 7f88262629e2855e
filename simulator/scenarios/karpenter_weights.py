"""Karpenter buys in the order of the pools' weights, up to their limits, and takes away what is not needed."""

from collections.abc import Sequence
from copy import deepcopy

from infra.plan.manifests import Manifest
from simulator.scenarios.cluster import Cluster, Node
from simulator.scenarios.observing import Observations
from simulator.scenarios.scenario import Scenario
from simulator.throwaway import Throwaway

_NAMESPACE, _MODEL = "models", "qwen3-8b"
# As in the stack file, heaviest first.
_POOLS = ("reserved", "on-demand", "spot")
_GPU_TAINT = "nvidia.com/gpu=true:NoSchedule"
_STARTUP_TAINT = {"key": "node.example/agent-not-ready", "effect": "NoExecute"}
_STARTUP_SHOWN = "node.example/agent-not-ready:NoExecute"

# A node takes three seconds on an idle machine.
_NODE_SECONDS = 40.0
# Long enough for a scheduler that would ignore a taint: it places a pod within milliseconds.
_STAYS_SECONDS = 2.0
# Karpenter looks every ten seconds, and checks fifteen seconds later that a node is still empty (v1.14.1,
# pkg/controllers/disruption: pollingPeriod, commandValidationDelay); it then drains for five.
_CONSOLIDATION_SECONDS = 75.0


def _prepare(manifests: Sequence[Manifest]) -> list[Manifest]:
    """A startup taint on the last pool; it would be lifted by an agent on the node, such as the MIG manager."""
    return [_with_startup_taint(item) if (item.kind, item.name) == ("NodePool", "spot") else item for item in manifests]


def _with_startup_taint(pool: Manifest) -> Manifest:
    body = deepcopy(pool.body)
    body["spec"]["template"]["spec"]["startupTaints"] = [_STARTUP_TAINT]
    return Manifest(body, pool.urn)


def _story(environment: Throwaway, observations: Observations) -> None:
    cluster = Cluster(environment.client)
    for count, pool in enumerate(_POOLS[:2], start=1):
        cluster.scale(_NAMESPACE, _MODEL, count)
        _node_of(pool, cluster, observations)
        _ready(count, cluster, observations)
    _startup_taint(environment, cluster, observations)
    _limits(cluster, observations)
    _consolidation(cluster, observations)


def _node_of(pool: str, cluster: Cluster, observations: Observations) -> Node:
    """The node that the newest server started; it must be of `pool`, bought and tainted as the pool says."""
    expected = _POOLS[: _POOLS.index(pool) + 1]
    nodes = observations.await_that(
        f"server {len(expected)} starts a node",
        lambda: _joined(cluster, len(expected)),
        _NODE_SECONDS,
        lambda: _shown(cluster.nodes()),
    )
    observations.promise(
        f"server {len(expected)} starts a node of the heaviest pool with room: {', '.join(expected)} are there",
        [node.pool for node in nodes] == list(expected),
        _shown(nodes),
    )
    node = nodes[-1]
    observations.promise(f"it is a {node}", node.capacity_type == pool, _shown([node]))
    observations.promise(f"it has the taint {_GPU_TAINT}", _GPU_TAINT in node.taints, ", ".join(node.taints))
    return node


def _joined(cluster: Cluster, count: int) -> list[Node]:
    """The nodes, once there are `count` and all have joined."""
    nodes = cluster.nodes()
    return nodes if len(nodes) >= count and all(node.joined for node in nodes) else []


def _ready(count: int, cluster: Cluster, observations: Observations) -> None:
    observations.await_that(
        f"{count} servers ready",
        lambda: cluster.ready(_NAMESPACE) == count,
        _NODE_SECONDS,
        lambda: f"{cluster.ready(_NAMESPACE)} ready on {_shown(cluster.nodes())}",
    )
    observations.saw(f"{count} of {count} servers are ready")


def _startup_taint(environment: Throwaway, cluster: Cluster, observations: Observations) -> None:
    cluster.scale(_NAMESPACE, _MODEL, 3)
    node = _node_of("spot", cluster, observations)
    observations.promise(
        f"its node has the startup taint {_STARTUP_SHOWN}", _STARTUP_SHOWN in node.taints, ", ".join(node.taints)
    )
    placed = observations.stays_away(lambda: cluster.ready(_NAMESPACE) == 3, _STAYS_SECONDS)
    observations.promise("the startup taint keeps the server off", placed, "it runs there")
    environment.source.tend(environment.running, environment.progress)
    observations.saw("the startup taint is lifted, as an agent on the node would")
    _ready(3, cluster, observations)


def _limits(cluster: Cluster, observations: Observations) -> None:
    """A fourth server: every pool is at its limit."""
    cluster.scale(_NAMESPACE, _MODEL, 4)

    def answer() -> str:
        waiting = [pod.name for pod in cluster.pods(_NAMESPACE) if not pod.node]
        said = (text for name in waiting for text in cluster.events(name, "karpenter") if "limits" in text)
        return next(said, "") or ("it starts a node" if len(cluster.nodes()) > len(_POOLS) else "")

    said = observations.await_that(
        "Karpenter's answer to a fourth server", answer, _NODE_SECONDS, lambda: _shown(cluster.nodes())
    )
    observations.saw(f"a fourth server is pending; Karpenter: {_reasons(said)}")
    nodes = cluster.nodes()
    observations.promise("there are three nodes, as the limits allow", len(nodes) == len(_POOLS), _shown(nodes))


def _consolidation(cluster: Cluster, observations: Observations) -> None:
    cluster.scale(_NAMESPACE, _MODEL, 0)
    observations.saw("the servers are scaled to none")
    observations.await_that(
        "no node and no NodeClaim",
        lambda: not cluster.nodes() and not cluster.node_claims(),
        _CONSOLIDATION_SECONDS,
        lambda: f"{_shown(cluster.nodes())}; NodeClaims {', '.join(cluster.node_claims())}",
    )
    observations.saw("Karpenter has taken the empty nodes away; no NodeClaim and no finalizer is left")


def _reasons(text: str) -> str:
    """Karpenter's event, once for each pool: `limits have been exhausted ... (NodePool=spot)`."""
    reasons = [part.strip() for part in text.replace("Failed to schedule pod,", "").split(";")]
    return "; ".join(dict.fromkeys(reasons))


def _shown(nodes: Sequence[Node]) -> str:
    return "; ".join(str(node) for node in nodes) or "no node"


SCENARIO = Scenario(
    "karpenter-weights",
    "reserved before on-demand before spot, never beyond a pool's limits, tainted as it says, and gone when empty",
    _story,
    _prepare,
)
