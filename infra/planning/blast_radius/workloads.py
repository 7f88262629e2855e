"""One workload as a rollout sees it: how many servers, how many GPUs each, how long one starts and stops.

A server is a pod; of a LeaderWorkerSet it is a group of pods, which goes and comes whole.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.catalog.kserve import LLM_PODS
from infra.conventions import GPU_RESOURCE
from infra.plan.manifests import Manifest
from infra.planning.blast_radius.durations import (
    ENGINE_START_HIGH_WITHOUT_PROBE,
    ENGINE_START_LOW,
    GRACE_PERIOD_DEFAULT,
    Range,
)
from infra.planning.placement import PodDemand

Json = Mapping[str, Any]

# Kubernetes probes every ten seconds where nothing else is said.
_PROBE_PERIOD = 10


# KServe writes the mode of an InferenceService into this annotation; without it we have written none.
_MODE = "serving.kserve.io/deploymentMode"

# What Kubernetes takes where a Deployment says nothing of it (Kubernetes documentation, Deployments).
_QUARTER = {"maxSurge": "25%", "maxUnavailable": "25%"}


@dataclass(frozen=True, slots=True)
class Workload:
    """Servers of one object.

    Attributes:
        owner: as a person names it: `Deployment models/qwen3-8b`.
        replicas: servers; groups of a LeaderWorkerSet.
        gpus: GPUs of one server, on average where prefill has others; MIG slices are not whole GPUs and do not count.
        start: seconds from container start to ready.
        stop: seconds from eviction to gone.
        surge, unavailable: servers beyond and below the replicas during a rollout, as numbers.
        evictable: servers that its PodDisruptionBudget lets go at once; all of them where it has none.
    """

    urn: str
    owner: str
    replicas: int
    gpus: float
    start: Range
    stop: Range
    surge: int
    unavailable: int
    evictable: int

    @property
    def name(self) -> str:
        """Namespace and name."""
        return self.owner.partition(" ")[2]


def workload(urn: str, manifest: Manifest, demands: Sequence[PodDemand], others: Sequence[Manifest]) -> Workload | None:
    """The workload of a manifest with pods that run all the time; None for jobs and DaemonSets.

    Args:
        demands: its pods; a leader's before those of its followers. An endpoint picker among them is no server.
        others: manifests among which its PodDisruptionBudget is looked for.
    """
    templates = _TEMPLATES.get(manifest.kind)
    demands = [item for item in demands if item.labels.get("app.kubernetes.io/component") != LLM_PODS.picker]
    if templates is None or not demands:
        return None
    pods = templates(manifest)
    replicas = demands[0].count if manifest.kind == "LeaderWorkerSet" else sum(item.count for item in demands)
    gpus = sum(item.count * int(item.requests.get(GPU_RESOURCE, 0)) for item in demands)
    surge, unavailable = _strategy(manifest, [item.count for item in demands])
    return Workload(
        urn=urn,
        owner=demands[0].owner,
        replicas=replicas,
        gpus=gpus / replicas if gpus % replicas else gpus // replicas,
        start=max((_start(pod) for pod in pods), key=lambda item: item.high),
        stop=max((_stop(pod) for pod in pods), key=lambda item: item.high),
        surge=surge,
        unavailable=unavailable,
        # A pod that goes takes its group with it.
        evictable=min(replicas, _evictable(demands, others)),
    )


def _pod(manifest: Manifest) -> list[Json]:
    spec = manifest.body["spec"]
    return [spec["template"]["spec"] if "template" in spec else spec]


def _group(manifest: Manifest) -> list[Json]:
    template = manifest.body["spec"]["leaderWorkerTemplate"]
    return [template[key]["spec"] for key in ("leaderTemplate", "workerTemplate") if template.get(key)]


def _predictor(manifest: Manifest) -> list[Json]:
    """Knative takes the time-out of a revision for the grace period of its pods."""
    predictor = manifest.body["spec"]["predictor"]
    grace = predictor.get("terminationGracePeriodSeconds") or predictor.get("timeout")
    return [{**predictor, "terminationGracePeriodSeconds": grace}]


def _llm_servers(manifest: Manifest) -> list[Json]:
    spec = manifest.body["spec"]
    return [part["template"] for part in (spec, spec.get("prefill")) if part]


# A line a kind: the pods that one server consists of, or may be.
_TEMPLATES: dict[str, Callable[[Manifest], list[Json]]] = {
    **dict.fromkeys(("Deployment", "StatefulSet", "ReplicaSet", "Pod"), _pod),
    "LeaderWorkerSet": _group,
    "InferenceService": _predictor,
    "LLMInferenceService": _llm_servers,
}


def _strategy(manifest: Manifest, counts: Sequence[int]) -> tuple[int, int]:
    """Most servers beyond and below the replicas.

    Args:
        counts: pods of each of its templates.
    """
    spec = manifest.body["spec"]
    if manifest.kind == "StatefulSet":
        return 0, 1
    if manifest.kind == "LeaderWorkerSet":
        given = (spec.get("rolloutStrategy") or {}).get("rollingUpdateConfiguration") or {}
        return _rolling({"maxSurge": 0, "maxUnavailable": 1, **given}, counts[0])  # defaults of its API, lws v0.9.0
    if manifest.kind == "LLMInferenceService":  # a Deployment for each part, without a strategy (kserve v0.20.0)
        parts = [_rolling(_QUARTER, count) for count in counts]
        return sum(part[0] for part in parts), sum(part[1] for part in parts)
    if manifest.kind == "InferenceService":
        if (manifest.body["metadata"].get("annotations") or {}).get(_MODE) == "Knative":
            return counts[0], 0  # a revision comes with all its servers before the one before goes
        strategy = spec["predictor"].get("deploymentStrategy") or {}
    else:
        strategy = spec.get("strategy") or {}
    if manifest.kind in ("ReplicaSet", "Pod") or strategy.get("type") == "Recreate":
        return 0, counts[0]
    return _rolling({**_QUARTER, **(strategy.get("rollingUpdate") or {})}, counts[0])


def _rolling(numbers: Json, replicas: int) -> tuple[int, int]:
    """Surge is rounded up, what may be missing is rounded down; both 0 is taken as 1 missing."""
    surge = share(numbers["maxSurge"], replicas, math.ceil)
    unavailable = share(numbers["maxUnavailable"], replicas, math.floor)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def share(value: str | int, whole: int, rounding: Any) -> int:
    """A number, or a percentage of `whole` rounded as told."""
    text = str(value)
    if text.endswith("%"):
        return int(rounding(whole * int(text[:-1]) / 100))
    return int(text)


def _start(pod: Json) -> Range:
    """From the fastest engine to the end of the startup probe."""
    longest = 0.0
    for container in pod.get("containers") or ():
        probe = container.get("startupProbe")
        if probe:
            period = float(probe.get("periodSeconds") or _PROBE_PERIOD)
            failures = float(probe.get("failureThreshold") or 3)
            longest = max(longest, float(probe.get("initialDelaySeconds") or 0) + period * failures)
    high = longest or ENGINE_START_HIGH_WITHOUT_PROBE
    return Range(min(ENGINE_START_LOW, high), high)


def _stop(pod: Json) -> Range:
    """From the sleep before SIGTERM to the end of the grace period."""
    grace = float(pod.get("terminationGracePeriodSeconds") or GRACE_PERIOD_DEFAULT)
    sleeps = [
        float(((container.get("lifecycle") or {}).get("preStop") or {}).get("sleep", {}).get("seconds") or 0)
        for container in pod.get("containers") or ()
    ]
    return Range(min(max(sleeps, default=0.0), grace), grace)


def _evictable(demands: Sequence[PodDemand], others: Sequence[Manifest]) -> int:
    """The fewest pods that the PodDisruptionBudgets let go at once."""
    total = sum(item.count for item in demands)
    allowed = total
    for item in others:
        if item.kind != "PodDisruptionBudget" or (item.namespace or "default") != demands[0].namespace:
            continue
        spec = item.body.get("spec") or {}
        labels = (spec.get("selector") or {}).get("matchLabels") or {}
        guarded = sum(demand.count for demand in demands if labels and labels.items() <= demand.labels.items())
        if not guarded:
            continue
        if spec.get("maxUnavailable") is not None:
            allowed = min(allowed, total - guarded + share(spec["maxUnavailable"], guarded, math.ceil))
        elif spec.get("minAvailable") is not None:
            allowed = min(allowed, total - share(spec["minAvailable"], guarded, math.ceil))
    return max(allowed, 0)
