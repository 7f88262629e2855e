"""One workload as a rollout sees it: how many pods, how many GPUs each, how long one starts and stops."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Workload:
    """Pods of one object.

    Attributes:
        owner: as a person names it: `Deployment models/qwen3-8b`.
        gpus: GPUs of one pod; MIG slices are not whole GPUs and do not count.
        start: seconds from container start to ready.
        stop: seconds from eviction to gone.
        surge, unavailable: pods beyond and below the replicas during a rollout, as numbers.
        evictable: pods that its PodDisruptionBudget lets go at once; all of them where it has none.
    """

    urn: str
    owner: str
    replicas: int
    gpus: int
    start: Range
    stop: Range
    surge: int
    unavailable: int
    evictable: int

    @property
    def name(self) -> str:
        """Namespace and name."""
        return self.owner.partition(" ")[2]


def workload(urn: str, manifest: Manifest, demand: PodDemand, others: Sequence[Manifest]) -> Workload | None:
    """The workload of a manifest with pods that run all the time; None for jobs and DaemonSets.

    Args:
        others: manifests among which its PodDisruptionBudget is looked for.
    """
    if manifest.kind not in ("Deployment", "StatefulSet", "ReplicaSet", "Pod"):
        return None
    spec = manifest.body["spec"]
    pod = spec["template"]["spec"] if "template" in spec else spec
    surge, unavailable = _strategy(manifest, demand.count)
    return Workload(
        urn=urn,
        owner=demand.owner,
        replicas=demand.count,
        gpus=int(demand.requests.get(GPU_RESOURCE, 0)),
        start=_start(pod),
        stop=_stop(pod),
        surge=surge,
        unavailable=unavailable,
        evictable=_evictable(demand, others),
    )


def _strategy(manifest: Manifest, replicas: int) -> tuple[int, int]:
    """Most pods beyond and below the replicas. A quarter each is Kubernetes' default; surge is rounded up."""
    if manifest.kind == "StatefulSet":
        return 0, 1
    strategy = manifest.body["spec"].get("strategy") or {}
    if manifest.kind != "Deployment" or strategy.get("type") == "Recreate":
        return 0, replicas
    rolling = strategy.get("rollingUpdate") or {}
    surge = share(rolling.get("maxSurge", "25%"), replicas, math.ceil)
    unavailable = share(rolling.get("maxUnavailable", "25%"), replicas, math.floor)
    return (surge, unavailable) if surge or unavailable else (0, 1)  # Kubernetes: both 0 is taken as 1 unavailable


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


def _evictable(demand: PodDemand, others: Sequence[Manifest]) -> int:
    """The fewest that any PodDisruptionBudget of its pods lets go at once."""
    allowed = demand.count
    for item in others:
        if item.kind != "PodDisruptionBudget" or (item.namespace or "default") != demand.namespace:
            continue
        spec = item.body.get("spec") or {}
        labels = (spec.get("selector") or {}).get("matchLabels") or {}
        if not labels or any(demand.labels.get(key) != value for key, value in labels.items()):
            continue
        if spec.get("maxUnavailable") is not None:
            allowed = min(allowed, share(spec["maxUnavailable"], demand.count, math.ceil))
        elif spec.get("minAvailable") is not None:
            allowed = min(allowed, demand.count - share(spec["minAvailable"], demand.count, math.ceil))
    return max(allowed, 0)
