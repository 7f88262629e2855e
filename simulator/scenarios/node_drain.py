"""Machines are drained one after the other: the budget lets one server go at a time, and the drain ends."""

import subprocess

from simulator.client import ApiError, Client
from simulator.scenarios.cluster import Cluster
from simulator.scenarios.observing import Observations
from simulator.scenarios.rollouts import kubectl, why_pending
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.watching import ReadyWatch
from simulator.throwaway import Throwaway

_NAMESPACE, _SERVERS = "models", 2
_SECONDS = 40.0


def _story(environment: Throwaway, observations: Observations) -> None:
    cluster, client = Cluster(environment.client), environment.client
    _both_ready(cluster, observations)
    first, second = (pod.node for pod in cluster.pods(_NAMESPACE))
    (spare,) = {node.name for node in cluster.nodes()} - {first, second}
    with ReadyWatch(environment, _NAMESPACE, _SERVERS) as watch:
        _cordon(client, spare, True)
        observations.saw("the spare machine is not to be used: there is no place for a server that must move")
        _ends(_drain(environment, first), "the first machine", observations)
        observations.await_that(
            "its server waits", lambda: why_pending(cluster, _NAMESPACE), _SECONDS, lambda: "no pod is pending"
        )
        observations.saw("its server has gone, the one in its place waits for a machine")
        draining = _drain(environment, second)
        try:
            _refused(cluster, client, observations)
            waits = draining.poll() is None
            observations.promise(
                "the drain of the second machine waits", waits, "it has ended: the last server is gone"
            )
            _cordon(client, spare, False)
            observations.saw("the spare machine may be used again")
            _ends(draining, "the second machine", observations)
        finally:
            draining.kill()
        _cordon(client, first, False)
        _both_ready(cluster, observations)
    observations.promise(
        f"at no moment were fewer than {_SERVERS - 1} of {_SERVERS} servers ready",
        watch.lowest >= _SERVERS - 1,
        f"{watch.lowest} at the lowest",
    )


def _both_ready(cluster: Cluster, observations: Observations) -> None:
    observations.await_that(
        f"{_SERVERS} servers ready",
        lambda: cluster.ready(_NAMESPACE) == _SERVERS,
        _SECONDS,
        lambda: f"{cluster.ready(_NAMESPACE)} ready",
    )
    observations.saw(f"{_SERVERS} of {_SERVERS} servers are ready, each on a machine of its own")


def _cordon(client: Client, node: str, off: bool) -> None:
    client.merge(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": off}})


def _drain(environment: Throwaway, node: str) -> subprocess.Popen[str]:
    return kubectl(environment, ["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s"])


def _ends(draining: subprocess.Popen[str], machine: str, observations: Observations) -> None:
    observations.await_that(
        f"kubectl drains {machine}", lambda: draining.poll() is not None, _SECONDS, lambda: "it still waits"
    )
    said = draining.communicate()[0]
    observations.promise(f"kubectl has drained {machine}", draining.returncode == 0, said)


def _refused(cluster: Cluster, client: Client, observations: Observations) -> None:
    """The eviction API itself; tried dry, so that a budget that allows it is seen and costs nothing."""
    (pod,) = [pod.name for pod in cluster.pods(_NAMESPACE) if pod.ready]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": _NAMESPACE},
        "deleteOptions": {"dryRun": ["All"]},
    }
    status, said = 201, "the eviction is accepted"
    try:
        client.create(f"/api/v1/namespaces/{_NAMESPACE}/pods/{pod}/eviction", eviction)
    except ApiError as error:
        status, said = error.status, error.message
    observations.promise(f"the eviction of the other server is refused with 429: {said}", status == 429, said)


SCENARIO = Scenario(
    "node-drain",
    "machines are drained: the PodDisruptionBudget keeps one of two servers, and the drain ends",
    _story,
    karpenter=False,
)
