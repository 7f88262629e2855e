"""A new version with one GPU to spare: a server more for a while, and never one less."""

from simulator.scenarios.cluster import Cluster
from simulator.scenarios.observing import Observations
from simulator.scenarios.rollouts import change_argument, deployment_path, is_rolled_out
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.watching import ReadyWatch
from simulator.throwaway import Throwaway

_NAMESPACE, _MODEL = "models", "qwen3-8b"
# As in the stack file.
_SERVERS, _MACHINES = 2, 3
_PATH = deployment_path(_NAMESPACE, _MODEL)
# A server is ready a second after it is placed; a loaded machine may need longer.
_SECONDS = 40.0


def _story(environment: Throwaway, observations: Observations) -> None:
    cluster, client = Cluster(environment.client), environment.client
    observations.await_that(
        f"{_SERVERS} servers ready",
        lambda: cluster.ready(_NAMESPACE) == _SERVERS,
        _SECONDS,
        lambda: f"{cluster.ready(_NAMESPACE)} ready",
    )
    used = {pod.node for pod in cluster.pods(_NAMESPACE)}
    machines = {node.name for node in cluster.nodes()}
    observations.promise(
        f"{_SERVERS} servers are ready on {_SERVERS} of {_MACHINES} machines with one GPU each",
        len(used) == _SERVERS and len(machines) == _MACHINES,
        f"{len(used)} of {len(machines)} machines are used",
    )
    before = {pod.name for pod in cluster.pods(_NAMESPACE)}
    with ReadyWatch(environment, _NAMESPACE, _SERVERS) as watch:
        change_argument(client, _PATH, "--max-model-len", "8192")
        observations.saw("a new version: the longest context is 8192 tokens in place of 16384")
        observations.await_that(
            "the new version is rolled out",
            lambda: is_rolled_out(client, _PATH) and not before & {pod.name for pod in cluster.pods(_NAMESPACE)},
            _SECONDS,
            lambda: f"pods {', '.join(pod.name for pod in cluster.pods(_NAMESPACE))}",
        )
        observations.saw("the new version is rolled out, both servers are new")
    observations.promise(
        f"at no moment were fewer than {_SERVERS} servers ready",
        watch.lowest >= _SERVERS,
        f"{watch.lowest} at the lowest",
    )
    observations.promise(
        f"a server more was there meanwhile, on the spare machine: {_SERVERS + 1} at the most",
        watch.most > _SERVERS,
        f"{watch.most} at the most",
    )


SCENARIO = Scenario(
    "rolling-update",
    "two servers and one spare GPU: a new version is rolled out, and never are fewer than two servers ready",
    _story,
    karpenter=False,
)
