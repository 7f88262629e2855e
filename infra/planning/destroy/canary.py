"""What must outlive what around a canary: its Job moves traffic, and judges it, until it is gone."""

from collections.abc import Iterator
from typing import Any

from infra.plan import PlannedResource
from infra.planning.destroy.requirement import Found, Requirement, metadata, ordered

_NAME, _COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"


def rules(found: Found) -> Iterator[Requirement]:
    """Every requirement of rollouts of canaries."""
    jobs = [item for item in found.objects("Job") if _labels(item).get(_COMPONENT) == "canary-rollout"]
    for job in jobs:
        if metadata(job, "name") != _labels(job).get(_NAME):
            continue  # a check, which has the rollout's name in its label
        yield from ordered([job], _of(found, job, "RoleBinding"), "it moves traffic with these rights to the end")
        yield from ordered([job], _of(found, job, "NetworkPolicy"), "it reads the metrics of both versions to the end")
        yield from ordered([job], _of(found, job, "Job"), "it lets the checks go")
        yield from ordered([job], found.objects("AIGatewayRoute", "HTTPRoute"), "it moves the weights of routes")


def _of(found: Found, job: PlannedResource, kind: str) -> list[PlannedResource]:
    """Objects of a kind that have the rollout's name in their label."""
    return [item for item in found.objects(kind) if _labels(item).get(_NAME) == metadata(job, "name")]


def _labels(item: PlannedResource) -> dict[str, Any]:
    given: Any = item.inputs.get("metadata")
    return (given.get("labels") or {}) if isinstance(given, dict) else {}
