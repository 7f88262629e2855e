"""A rollout that wants a GPU more than there is: refused before it is applied; applied anyway, it hangs."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from infra.plan.manifests import Manifest
from infra.settings import load_stack_file
from infra.settings.checks.rollout import rollout_problems
from infra.settings.rollout import Rollout
from simulator.scenarios.cluster import Cluster
from simulator.scenarios.observing import Observations
from simulator.scenarios.rollouts import change_argument, deployment_path, is_rolled_out, progress_of, why_pending
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.watching import ReadyWatch
from simulator.throwaway import Throwaway

_NAMESPACE, _MODEL, _SERVERS = "models", "qwen3-8b", 2
_PATH = deployment_path(_NAMESPACE, _MODEL)
_SURGE = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
_REPLACE = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
# How long the Deployment waits before it says that nothing moves; 45 minutes in the settings.
_DEADLINE_SECONDS = 4
_SECONDS = 40.0


def _prepare(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The strategy that was refused, applied anyway, with a deadline that a person can wait for."""
    return [_surging(item) if item.kind == "Deployment" else item for item in manifests]


def _surging(deployment: Manifest) -> Manifest:
    body = deepcopy(deployment.body)
    body["spec"] |= {"strategy": _SURGE, "progressDeadlineSeconds": _DEADLINE_SECONDS}
    return Manifest(body, deployment.urn)


def _story(environment: Throwaway, observations: Observations) -> None:
    cluster = Cluster(environment.client)
    _refused(observations)
    observations.await_that(
        f"{_SERVERS} servers ready",
        lambda: cluster.ready(_NAMESPACE) == _SERVERS,
        _SECONDS,
        lambda: f"{cluster.ready(_NAMESPACE)} ready",
    )
    observations.saw(f"applied anyway: {_SERVERS} servers run on the {_SERVERS} machines that the limits allow")
    with ReadyWatch(environment, _NAMESPACE, _SERVERS) as watch:
        _hangs(environment, cluster, observations)
        observations.promise(
            f"meanwhile the {_SERVERS} old servers serve on", watch.lowest == _SERVERS, f"{watch.lowest} at the lowest"
        )
    with ReadyWatch(environment, _NAMESPACE, _SERVERS) as watch:
        _mended(environment, cluster, observations)
    observations.promise(
        "what it costs is what the report said: 1 of 2 served for a while, and never fewer",
        watch.lowest == _SERVERS - 1,
        f"{watch.lowest} at the lowest",
    )


def _refused(observations: Observations) -> None:
    """The settings without the alternative, as a person would write them first."""
    settings = load_stack_file(Path(__file__).with_suffix(".yaml")).settings
    (model,) = settings.models
    surging = settings.model_copy(update={"models": (model.model_copy(update={"rollout": Rollout()}),)})
    problems = rollout_problems(surging)
    observations.promise(
        "before anything is applied, the settings are refused",
        [problem.path for problem in problems] == ["models[0].rollout"],
        "; ".join(map(str, problems)) or "they are accepted",
    )
    observations.saw(f"found: {problems[0].found}")
    observations.saw(f"mend: {problems[0].mend}")
    observations.promise(
        "with what the report names as the other choice they are accepted",
        "rollout: {strategy: replace}" in problems[0].mend and not rollout_problems(settings),
        problems[0].mend,
    )


def _hangs(environment: Throwaway, cluster: Cluster, observations: Observations) -> None:
    client = environment.client
    change_argument(client, _PATH, "--max-model-len", "8192")
    said = observations.await_that(
        "the scheduler's answer to the new server", lambda: why_pending(cluster, _NAMESPACE), _SECONDS, lambda: "none"
    )
    observations.promise(f"the new server is pending: {said}", "Insufficient nvidia.com/gpu" in said, said)
    observations.await_that(
        "the Deployment gives up",
        lambda: progress_of(client, _PATH).get("reason") == "ProgressDeadlineExceeded",
        _SECONDS,
        lambda: str(progress_of(client, _PATH)),
    )
    observations.saw(f"the rollout hangs: {progress_of(client, _PATH)['message']}")


def _mended(environment: Throwaway, cluster: Cluster, observations: Observations) -> None:
    client = environment.client
    old = {pod.name for pod in cluster.pods(_NAMESPACE) if pod.ready}
    client.merge(_PATH, {"spec": {"strategy": _REPLACE}})
    observations.saw("the strategy is replace now: an old server goes first")
    observations.await_that(
        "the new version is rolled out",
        lambda: is_rolled_out(client, _PATH) and not old & {pod.name for pod in cluster.pods(_NAMESPACE)},
        _SECONDS,
        lambda: str(progress_of(client, _PATH)),
    )
    observations.saw("the new version is rolled out, both servers are new")


SCENARIO = Scenario(
    "rolling-update-no-headroom",
    "no GPU to spare: a rollout that wants one is refused before it is applied; applied anyway it hangs",
    _story,
    _prepare,
    karpenter=False,
)
