"""Karpenter's real controller on the embedded control plane, through nodes, NodeClaims and events only.

One environment for all tests; each has pools and a namespace of its own and leaves none of its pods behind.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from simulator.client import Json, wait_for
from simulator.environment import Throwaway, down, status, throwaway, up
from simulator.karpenter.interruption import reclaim, warn
from simulator.karpenter.pools import await_pools
from simulator.scenarios.cluster import Cluster, Node
from tests.embedded import Listener, processes_in
from tests.simulator.manifests import (
    deployment,
    ec2_node_class,
    gpu_pod,
    manifest,
    node_pool,
    requirement,
    small_plan,
)

SECONDS = 40.0
CLAIMS = "/apis/karpenter.sh/v1/nodeclaims"
POOLS = "/apis/karpenter.sh/v1/nodepools"


def pool(name: str, capacity: str, *types: str, **spec: Any) -> Manifest:
    """A pool for the pods that ask for its name, without the startup taint of the others."""
    wanted = (
        requirement("node.kubernetes.io/instance-type", *types),
        requirement("karpenter.sh/capacity-type", capacity),
        requirement("topology.k8s.aws/zone-id", "use1-az4"),
    )
    disruption = {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never"}
    made = node_pool(name, wanted, disruption=disruption, **spec)
    del made.body["spec"]["template"]["spec"]["startupTaints"]
    return made


PLAN = [
    ec2_node_class(),
    pool("limited", "on-demand", "g6e.12xlarge", limits={"nvidia.com/gpu": 6}),
    pool("spot", "spot", "g6e.xlarge"),
    pool("destroyed", "on-demand", "g6e.xlarge"),
    pool("orphaned", "on-demand", "g6e.xlarge"),
]


def servers(name: str, replicas: int = 1, gpus: int = 1) -> Manifest:
    """A Deployment in a namespace of its name, for the pool of its name."""
    return deployment(name, gpu_pod(gpus, nodeSelector={"karpenter.sh/nodepool": name}), replicas, name)


@pytest.fixture(scope="module")
def listener_of_all() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def environment(state_root: Path, listener_of_all: Listener) -> Iterator[Throwaway]:
    del state_root
    with throwaway(listener_of_all, PLAN, karpenter=True) as running:
        yield running


@pytest.fixture
def cluster(environment: Throwaway) -> Cluster:
    return Cluster(environment.client)


def soon(condition: Callable[[], bool], said: Callable[[], object] = lambda: "") -> None:
    assert wait_for(condition, SECONDS), said()


def node_of(cluster: Cluster, name: str) -> Node:
    """The one node of the pool, once its pod is ready on it."""
    soon(lambda: cluster.ready(name) > 0, cluster.nodes)
    (node,) = cluster.nodes(name)
    return node


def claims(environment: Throwaway, name: str) -> list[Json]:
    return environment.client.items(CLAIMS, labelSelector=f"karpenter.sh/nodepool={name}")


def test_a_pending_pod_gets_a_node_as_large_and_as_labelled_as_the_catalogue_says(
    environment: Throwaway, cluster: Cluster
) -> None:
    environment.apply([servers("limited", replicas=2)])
    soon(lambda: cluster.ready("limited") == 2)

    (node,) = cluster.nodes("limited")
    body = environment.client.get(f"/api/v1/nodes/{node.name}")
    labels = body["metadata"]["labels"]
    assert labels["karpenter.k8s.aws/instance-gpu-name"] == "l40s"
    assert labels["topology.k8s.aws/zone-id"] == "use1-az4"
    assert labels["topology.kubernetes.io/region"] == "us-east-1"
    assert labels["pool"] == "limited"
    # Two pods use two GPUs; the machine has four, and Karpenter counts all of them against the limit.
    assert body["status"]["capacity"]["nvidia.com/gpu"] == "4"
    assert claims(environment, "limited")[0]["status"]["capacity"]["nvidia.com/gpu"] == "4"
    soon(lambda: used(environment, "limited").get("nvidia.com/gpu") == "4")
    assert node.taints == ("nvidia.com/gpu=true:NoSchedule",)


def test_a_pool_never_starts_more_than_its_limit(environment: Throwaway, cluster: Cluster) -> None:
    """After the test above: 4 of 6 GPUs are started, a second machine of 4 would be too many."""
    environment.apply([servers("limited", replicas=5)])

    def refused() -> bool:
        waiting = [pod.name for pod in cluster.pods("limited") if not pod.node]
        return any("limits" in text for name in waiting for text in cluster.events(name, "karpenter"))

    soon(refused)
    assert cluster.ready("limited") == 4
    assert len(cluster.nodes("limited")) == 1


def used(environment: Throwaway, name: str) -> Json:
    """What the pool's nodes have, as Karpenter counts it."""
    resources: Json = (environment.client.get(f"{POOLS}/{name}").get("status") or {}).get("resources") or {}
    return resources


def test_an_interrupted_node_that_cannot_drain_is_gone_with_its_machine(
    environment: Throwaway, cluster: Cluster
) -> None:
    """A PodDisruptionBudget forbids the drain; EC2 does not ask it."""
    budget = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "spot"}}}
    environment.apply([servers("spot"), manifest("policy/v1", "PodDisruptionBudget", "spot", "spot", spec=budget)])
    victim = node_of(cluster, "spot")
    before = cluster.pods("spot")[0]

    claim = warn(environment.client, victim.name)

    soon(lambda: any(node.leaving and "karpenter.sh/disrupted:NoSchedule" in node.taints for node in cluster.nodes()))
    # The budget holds the pod where it is. Karpenter buys nothing for a pod that it may not move (v1.14.1,
    # StateNode.CurrentlyReschedulablePods): the replacement comes only when the machine has gone.
    assert not wait_for(lambda: len(cluster.nodes("spot")) != 1, 3)
    assert [pod.node for pod in cluster.pods("spot")] == [victim.name]

    assert reclaim(environment.client, victim.name)

    soon(lambda: claim not in cluster.node_claims() and victim.name not in {node.name for node in cluster.nodes()})
    after = node_of(cluster, "spot")
    assert after.capacity_type == "spot"
    assert before.name not in {pod.name for pod in cluster.pods("spot")}
    assert len(claims(environment, "spot")) == 1


def test_only_spot_machines_are_taken_back(environment: Throwaway, cluster: Cluster) -> None:
    (node,) = cluster.nodes("limited")
    with pytest.raises(PlatformError, match="is on-demand: EC2 interrupts spot machines only"):
        warn(environment.client, node.name)
    with pytest.raises(PlatformError, match="no NodeClaim has started the node"):
        warn(environment.client, "unknown")


def test_deleting_a_pool_drains_its_nodes_and_leaves_nothing(environment: Throwaway, cluster: Cluster) -> None:
    environment.apply([servers("destroyed")])
    node_of(cluster, "destroyed")
    (claim,) = claims(environment, "destroyed")
    assert claim["metadata"]["finalizers"] == ["karpenter.sh/termination"]

    environment.client.delete(f"{POOLS}/destroyed")

    soon(lambda: not claims(environment, "destroyed") and not cluster.nodes("destroyed"), cluster.nodes)
    assert not environment.client.exists(f"{POOLS}/destroyed")


def test_without_its_controller_a_claim_stays_and_with_it_again_goes(environment: Throwaway, cluster: Cluster) -> None:
    environment.apply([servers("orphaned")])
    node_of(cluster, "orphaned")
    environment.stop("karpenter-kwok", kill=True)
    environment.client.delete(f"{POOLS}/orphaned")
    soon(lambda: all("deletionTimestamp" in claim["metadata"] for claim in claims(environment, "orphaned")))

    assert not wait_for(lambda: not claims(environment, "orphaned"), 2)
    with pytest.raises(PlatformError, match="karpenter-kwok does not run"):
        environment.stop("karpenter-kwok")

    environment.restart()
    soon(lambda: not claims(environment, "orphaned") and not cluster.nodes("orphaned"))


def test_a_pool_that_karpenter_refuses_is_an_error_with_its_reason(environment: Throwaway) -> None:
    """The CRD lets it pass; the controller does not."""
    wrong = pool("wrong", "on-demand", "g6e.xlarge")
    wrong.body["spec"]["template"]["metadata"]["labels"] = {"karpenter.kwok.sh/own": "x"}
    environment.apply([wrong])

    with pytest.raises(PlatformError, match=r"Karpenter does not take NodePool wrong: .*karpenter\.kwok\.sh"):
        await_pools(environment.client, {"wrong", "limited"})


def test_what_was_rewritten_is_said(environment: Throwaway, listener_of_all: Listener) -> None:
    del environment
    notes = listener_of_all.notes
    assert "EC2NodeClass gpu: amiSelectorTerms -> nothing: no machine boots" in notes
    assert any(note.startswith("NodePool limited, spot, destroyed, orphaned: nodeClassRef -> ") for note in notes)


def test_up_with_karpenter_again_after_a_kill_and_down(state_root: Path, listener: Listener) -> None:
    first = up("real", small_plan(2), listener, karpenter=True)
    assert {process.name for process in first.processes} >= {"karpenter-kwok", "kwok"}
    assert [pod.ready for pod in first.pods] == [True, True]
    assert {node.pool for node in first.nodes} == {"gpu"}
    assert any("startup taint efs.csi.aws.com/agent-not-ready lifted" in note for note in listener.notes)
    for process in first.processes:
        listening = [item for item in psutil.Process(process.pid).net_connections("inet") if item.status == "LISTEN"]
        assert {item.laddr.ip for item in listening} <= {"127.0.0.1"}, process.name

    with pytest.raises(PlatformError, match="was brought up with --karpenter"):
        up("real", small_plan(2), listener)

    second = up("real", small_plan(2), listener, karpenter=True)
    assert second.processes == first.processes
    assert second.pods == first.pods

    next(psutil.Process(item.pid) for item in second.processes if item.name == "karpenter-kwok").kill()
    soon(lambda: not (status("real") or first).is_running)
    third = up("real", small_plan(4), listener, karpenter=True)
    assert third.is_running
    assert [pod.ready for pod in third.pods] == [True] * 4

    assert down("real", listener).stopped_processes == len(third.processes)
    assert processes_in(state_root / "real") == []
