"""One thing that a safe destroy keeps in order, and how rules find the resources they speak of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infra.plan import Plan, PlannedResource, Value
from infra.planning.destroy.graph import is_operation


@dataclass(frozen=True, slots=True)
class Requirement:
    """`first` must be gone before `then` is deleted. URNs; `why` completes "..., because"."""

    first: str
    then: str
    why: str


def ordered(first: Iterable[PlannedResource], then: Iterable[PlannedResource], why: str) -> Iterator[Requirement]:
    """Each of `first` before each of `then`."""
    later = list(then)
    for early in first:
        yield from (Requirement(early.urn, late.urn, why) for late in later if late.urn != early.urn)


class Found:
    """The operations of a plan, found by what they are."""

    def __init__(self, plan: Plan) -> None:
        self.all = [resource for resource in plan if is_operation(resource)]
        self._by_urn = plan.by_urn()

    def of(self, *tokens: str) -> list[PlannedResource]:
        """Resources of these Pulumi types."""
        return [resource for resource in self.all if resource.type_token in tokens]

    def named(self, token: str, key: str, value: Value) -> list[PlannedResource]:
        """Resources of a type whose input `key` has that value."""
        return [resource for resource in self.of(token) if resource.inputs.get(key) == value]

    def releases(self, chart: str) -> list[PlannedResource]:
        """Helm releases of a chart, by the last part of its name."""
        return [
            release
            for release in self.of("kubernetes:helm.sh/v3:Release")
            if str(release.inputs.get("chart", "")).rpartition("/")[2] == chart
        ]

    def objects(self, *kinds: str) -> list[PlannedResource]:
        """Kubernetes objects of these kinds; all of them when none is given."""
        return [
            resource
            for resource in self.all
            if resource.is_kubernetes_object and (not kinds or resource.inputs.get("kind") in kinds)
        ]

    def hooks(self, step: str) -> list[PlannedResource]:
        """Delete hooks of one step: guard, drain or sweep."""
        return [
            hook
            for hook in self.of("command:local:Command")
            if f"gpu-platform teardown {step} " in str(hook.inputs.get("delete", ""))
        ]

    def read_by(self, resource: PlannedResource) -> set[str]:
        """URNs of what the resource's inputs come from."""
        return {urn for urns in resource.property_dependencies.values() for urn in urns}

    def ancestors(self, resource: PlannedResource) -> Iterator[PlannedResource]:
        """Its component, that one's component, and so on."""
        while resource.parent:
            resource = self._by_urn[resource.parent]
            yield resource

    def is_there(self, urn: str) -> bool:
        """Whether the URN is an operation of the plan."""
        return urn in self._by_urn and is_operation(self._by_urn[urn])


def metadata(resource: PlannedResource, key: str) -> str:
    """A field of a Kubernetes object's metadata as text; empty when it is not there."""
    given = resource.inputs.get("metadata")
    return str(given.get(key, "")) if isinstance(given, dict) else ""
