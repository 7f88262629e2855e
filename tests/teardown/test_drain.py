"""The drain of a pool with Karpenter's real controller: it ends within its bound, whatever stands in the way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.conventions import KUBECONFIG_VARIABLE
from infra.errors import PlatformError
from infra.plan import Manifest
from infra.planning.pool_drain import PoolDrainBounds
from simulator.client import Client, wait_for
from simulator.throwaway import Throwaway
from teardown.cluster import Cluster
from teardown.drain import KARPENTER_FINALIZER, TERMINATION_ANNOTATION, PoolDrain
from teardown.machines import Machine, NoMachines
from tests.teardown.conftest import POOL

CLAIMS = "/apis/karpenter.sh/v1/nodeclaims"
SERVERS = "/apis/apps/v1/namespaces/default/deployments"
Spoken = tuple[list[str], Callable[[str], None]]


def deployment(name: str, replicas: int, grace_seconds: int) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "server", "image": "server", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    pod = {"terminationGracePeriodSeconds": grace_seconds, "tolerations": [toleration], "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def budget(name: str) -> dict[str, Any]:
    """A PodDisruptionBudget that never lets a pod go."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"{name}-never", "namespace": "default"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": name}}},
    }


def node_class(name: str) -> dict[str, Any]:
    """An EC2NodeClass whose controller will never answer."""
    terms = [{"tags": {"karpenter.sh/discovery": "local"}}]
    return {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": {"name": name, "finalizers": ["karpenter.k8s.aws/termination"]},
        "spec": {
            "amiSelectorTerms": [{"alias": "al2023@v20260714"}],
            "role": "nodes",
            "subnetSelectorTerms": terms,
            "securityGroupSelectorTerms": terms,
        },
    }


def running(client: Client, name: str) -> int:
    pods = client.items("/api/v1/namespaces/default/pods", labelSelector=f"app={name}")
    return sum(pod["status"].get("phase") == "Running" for pod in pods)


def fill(environment: Throwaway, manifests: list[Manifest], name: str, replicas: int = 2, grace: int = 1) -> None:
    """Have Karpenter start nodes for the pods of a Deployment that a budget keeps."""
    environment.apply(manifests)
    environment.client.apply(budget(name))
    environment.client.apply(deployment(name, replicas, grace))
    assert wait_for(lambda: running(environment.client, name) == replicas, 60)


def leftovers(client: Client) -> list[str]:
    paths = (CLAIMS, "/apis/karpenter.sh/v1/nodepools", "/apis/karpenter.k8s.aws/v1/ec2nodeclasses", "/api/v1/nodes")
    return [item["metadata"]["name"] for path in paths for item in client.items(path)]


@pytest.fixture(autouse=True)
def nothing_left_for_the_next_test(cluster_with_karpenter: Throwaway) -> Any:
    yield
    client = cluster_with_karpenter.client
    for item in client.items(SERVERS):
        client.delete(f"{SERVERS}/{item['metadata']['name']}")
    for item in client.items("/apis/policy/v1/namespaces/default/poddisruptionbudgets"):
        client.delete(f"/apis/policy/v1/namespaces/default/poddisruptionbudgets/{item['metadata']['name']}")
    pods = "/api/v1/namespaces/default/pods"
    for item in client.items(pods):  # of a node that is gone the kubelet ends none
        client.delete(f"{pods}/{item['metadata']['name']}", grace_seconds=0)
    assert wait_for(lambda: not client.items(pods), 60)


def test_a_blocked_budget_and_a_dead_finalizer_do_not_hold_a_drain(
    cluster_with_karpenter: Throwaway, cluster: Cluster, pool_manifests: list[Manifest], spoken: Spoken
) -> None:
    fill(cluster_with_karpenter, pool_manifests, "kept")
    cluster_with_karpenter.client.apply(node_class(POOL))
    bounds = PoolDrainBounds(patience=6, machines=20, objects=2)
    begin = time.monotonic()

    PoolDrain(cluster, NoMachines(), POOL, spoken[1]).run(bounds)

    took = time.monotonic() - begin
    assert leftovers(cluster_with_karpenter.client) == []
    assert 5 <= took <= bounds.total  # the budget was kept as long as patience allowed
    assert any("is kept by the PodDisruptionBudget kept-never" in line for line in spoken[0])
    assert any("its finalizers are removed" in line for line in spoken[0])


def test_without_anything_in_the_way_a_drain_needs_no_patience(
    cluster_with_karpenter: Throwaway, cluster: Cluster, pool_manifests: list[Manifest], spoken: Spoken
) -> None:
    cluster_with_karpenter.apply(pool_manifests)
    cluster_with_karpenter.client.apply(deployment("free", 1, 1))
    assert wait_for(lambda: running(cluster_with_karpenter.client, "free") == 1, 60)
    begin = time.monotonic()

    PoolDrain(cluster, NoMachines(), POOL, spoken[1]).run(PoolDrainBounds(patience=300))

    assert time.monotonic() - begin < 60
    assert leftovers(cluster_with_karpenter.client) == []


def test_a_dead_controller_does_not_hold_a_drain(
    cluster_with_karpenter: Throwaway, cluster: Cluster, pool_manifests: list[Manifest], spoken: Spoken
) -> None:
    fill(cluster_with_karpenter, pool_manifests, "orphaned")
    cluster_with_karpenter.stop("karpenter-kwok", kill=True)
    try:
        PoolDrain(cluster, NoMachines(), POOL, spoken[1]).run(PoolDrainBounds(patience=1, machines=3, objects=2))
    finally:
        cluster_with_karpenter.restart()

    assert leftovers(cluster_with_karpenter.client) == []
    assert any(line.startswith("Karpenter did not finish") for line in spoken[0])
    assert sum("has no machine any more" in line for line in spoken[0]) >= 1


class Immortal(NoMachines):
    """EC2 that does not end what it is told to."""

    def __init__(self, claim: dict[str, Any]) -> None:
        self.machine = Machine(claim["status"]["providerID"].rpartition("/")[2], "running")
        self.told: list[str] = []

    def of_pool(self, _pool: str) -> list[Machine]:
        return [self.machine]

    def terminate(self, machines: list[Machine]) -> None:
        self.told += [machine.identifier for machine in machines]


def test_a_node_whose_machine_lives_keeps_its_finalizer_and_the_error_names_it(
    cluster_with_karpenter: Throwaway, cluster: Cluster, pool_manifests: list[Manifest], spoken: Spoken
) -> None:
    """A finalizer that is removed under a running machine is a machine that nobody will ever end."""
    fill(cluster_with_karpenter, pool_manifests, "living", replicas=1)
    cluster_with_karpenter.stop("karpenter-kwok", kill=True)
    claim = cluster_with_karpenter.client.items(CLAIMS)[0]
    machines = Immortal(claim)
    try:
        with pytest.raises(PlatformError) as raised:
            PoolDrain(cluster, machines, POOL, spoken[1]).run(PoolDrainBounds(patience=1, machines=2, objects=1))
        kept = cluster_with_karpenter.client.get(f"{CLAIMS}/{claim['metadata']['name']}")
    finally:
        cluster_with_karpenter.restart()

    assert machines.told == [machines.machine.identifier]
    assert kept["metadata"]["finalizers"] == [KARPENTER_FINALIZER]
    assert f"machine {machines.machine.identifier} (running)" in raised.value.message
    assert "run the destroy again" in raised.value.mend
    PoolDrain(cluster, NoMachines(), POOL, spoken[1]).run(PoolDrainBounds(patience=30))  # the machine is gone now


def bounds_given(client: Client) -> set[str]:
    """Termination times that the drain wrote on claims."""
    notes = [item["metadata"].get("annotations", {}) for item in client.items(CLAIMS)]
    return {note[TERMINATION_ANNOTATION] for note in notes if TERMINATION_ANNOTATION in note}


def command(patience: int) -> list[str]:
    """As the engine runs it."""
    program = Path(sys.executable).with_name("gpu-platform")
    return [str(program), "teardown", "drain", f"--pool={POOL}", "--cluster=local", f"--patience={patience}"]


def test_killed_half_way_and_run_again_it_ends_too(
    cluster_with_karpenter: Throwaway, pool_manifests: list[Manifest]
) -> None:
    fill(cluster_with_karpenter, pool_manifests, "twice")
    client = cluster_with_karpenter.client
    environment = {**os.environ, KUBECONFIG_VARIABLE: cluster_with_karpenter.kubeconfig.read_text(encoding="utf-8")}
    first = subprocess.Popen(command(8), env=environment, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert "draining" in first.stdout.readline()
    # Karpenter deletes claims of a deleted pool too, so that one goes says nothing of how far the drain came.
    assert wait_for(lambda: bool(bounds_given(client)), 20)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    given = bounds_given(client)
    assert leftovers(client)

    again = subprocess.run(command(8), env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert (again.returncode, again.stderr) == (0, "")
    assert given  # the first run's bound counted on: the second did not start the patience anew
    assert leftovers(client) == []
    assert f"the pool {POOL} is empty" in again.stdout


def test_an_empty_pool_is_no_fault(cluster: Cluster, spoken: Spoken) -> None:
    PoolDrain(cluster, NoMachines(), "never-was", spoken[1]).run(PoolDrainBounds(patience=60))

    assert spoken[0][-1] == "the pool never-was is empty"
