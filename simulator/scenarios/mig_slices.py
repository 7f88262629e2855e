"""GPUs cut by MIG: as many pods as slices, none on a slice of another size, whatever else is free."""

from collections.abc import Mapping, Sequence
from copy import deepcopy

from infra.plan.manifests import Manifest
from simulator.scenarios.cluster import Cluster
from simulator.scenarios.observing import Observations
from simulator.scenarios.scenario import Scenario
from simulator.throwaway import Throwaway

_NAMESPACE, _SMALL, _CHAT = "models", "small-model", "chat"
_SLICES = {"small": {"nvidia.com/mig-1g.10gb": 7}, "mixed": {"nvidia.com/mig-2g.20gb": 2, "nvidia.com/mig-3g.40gb": 1}}
# The scheduler places a pod within milliseconds, and kwok starts it in a second; a loaded machine may take longer.
_SECONDS = 40.0
_STAYS_SECONDS = 2.0


def _prepare(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The servers may run on any node: what they ask for alone decides where they do."""
    return [_anywhere(item) if item.kind == "Deployment" else item for item in manifests]


def _anywhere(deployment: Manifest) -> Manifest:
    body = deepcopy(deployment.body)
    body["spec"]["template"]["spec"].pop("affinity")
    return Manifest(body, deployment.urn)


def _story(environment: Throwaway, observations: Observations) -> None:
    cluster = Cluster(environment.client)
    _nodes(environment, observations)
    observations.await_that(
        "seven small servers and one for chat ready",
        lambda: cluster.ready(_NAMESPACE) == 8,
        _SECONDS,
        lambda: f"{cluster.ready(_NAMESPACE)} ready",
    )
    placed = _placed(cluster)
    observations.promise(
        "seven servers with a 1g.10gb slice each run on the H100 of seven",
        placed[_SMALL] == ["small"] * 7,
        str(placed[_SMALL]),
    )
    observations.promise(
        "the server with a 3g.40gb slice runs on the mixed H100", placed[_CHAT] == ["mixed"], str(placed[_CHAT])
    )
    _one_more(_SMALL, 8, "nvidia.com/mig-1g.10gb", cluster, observations)
    _one_more(_CHAT, 2, "nvidia.com/mig-3g.40gb", cluster, observations)


def _nodes(environment: Throwaway, observations: Observations) -> None:
    """Each node has the slices of its layout and no whole GPU."""
    for item in environment.client.items("/api/v1/nodes"):
        devices = {
            key: int(value) for key, value in item["status"]["allocatable"].items() if key.startswith("nvidia.com/")
        }
        pool = item["metadata"]["labels"]["karpenter.sh/nodepool"]
        wanted = {**_SLICES[pool], "nvidia.com/gpu": 0}
        observations.promise(f"the node of pool {pool} has {_shown(wanted)}", devices == wanted, _shown(devices))


def _shown(devices: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {resource}" for resource, count in sorted(devices.items()))


def _one_more(model: str, replicas: int, resource: str, cluster: Cluster, observations: Observations) -> None:
    """One server more than there are slices: it waits, although other slices are free, and the scheduler says why."""
    cluster.scale(_NAMESPACE, model, replicas)

    def answer() -> str:
        waiting = [pod.name for pod in cluster.pods(_NAMESPACE) if pod.name.startswith(f"{model}-") and not pod.node]
        said = (text for name in waiting for text in cluster.events(name, "default-scheduler"))
        return next((text for text in said if "Insufficient" in text), "")

    said = observations.await_that(
        f"the scheduler's answer to server {replicas} of {model}", answer, _SECONDS, lambda: str(_placed(cluster))
    )
    expected = f"server {replicas} of {model} is pending: {said}"
    observations.promise(expected, f"Insufficient {resource}" in said, said)
    placed = observations.stays_away(lambda: len(_placed(cluster)[model]) == replicas, _STAYS_SECONDS)
    observations.promise(f"it stays pending; {replicas - 1} of {replicas} run", placed, str(_placed(cluster)))


def _placed(cluster: Cluster) -> dict[str, list[str]]:
    """Pools on which the servers of each model run."""
    pools = {node.name: node.pool for node in cluster.nodes()}
    found: dict[str, list[str]] = {_SMALL: [], _CHAT: []}
    for pod in cluster.pods(_NAMESPACE):
        model = next(name for name in found if pod.name.startswith(f"{name}-"))
        if pod.node:
            found[model].append(pools[pod.node])
    return found


SCENARIO = Scenario(
    "mig-slices",
    "an H100 in seven slices runs seven servers and an eighth waits; a larger slice is found only where there is one",
    _story,
    _prepare,
    karpenter=False,
)
