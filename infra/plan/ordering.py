"""Dependency order of planned resources.

A resource comes after its parent, its provider and everything it depends on, as the engine would create it. Among
those that are free at the same time the URN decides, so the order is the same on every run.
"""

import heapq
from collections.abc import Iterable

from infra.errors import PlatformError
from infra.plan.records import PlannedResource


def predecessors(resource: PlannedResource) -> set[str]:
    """URNs that must exist before `resource` can be created."""
    from_properties = {urn for urns in resource.property_dependencies.values() for urn in urns}
    return {urn for urn in {resource.parent, resource.provider, *resource.dependencies} | from_properties if urn}


def dependency_order(resources: Iterable[PlannedResource]) -> list[PlannedResource]:
    """Sort so that every resource follows what it needs.

    Raises:
        PlatformError: when the dependencies form a cycle; the message names its members.
    """
    by_urn = {resource.urn: resource for resource in resources}
    waiting = {urn: {need for need in predecessors(resource) if need in by_urn} for urn, resource in by_urn.items()}
    dependents: dict[str, list[str]] = {urn: [] for urn in by_urn}
    for urn, needs in waiting.items():
        for need in needs:
            dependents[need].append(urn)

    ready = [urn for urn, needs in waiting.items() if not needs]
    heapq.heapify(ready)
    ordered: list[PlannedResource] = []
    while ready:
        urn = heapq.heappop(ready)
        ordered.append(by_urn[urn])
        for dependent in dependents[urn]:
            waiting[dependent].discard(urn)
            if not waiting[dependent]:
                heapq.heappush(ready, dependent)

    if len(ordered) < len(by_urn):
        members = ", ".join(sorted(by_urn[urn].name for urn in _members_of_cycles(waiting)))
        raise PlatformError(
            f"the program's dependencies form a cycle among: {members}",
            "remove one depends_on between them",
        )
    return ordered


def _members_of_cycles(waiting: dict[str, set[str]]) -> set[str]:
    """What is left when everything that only waits for a cycle is taken away."""
    left = {urn for urn, needs in waiting.items() if needs}
    while True:
        needed = {need for urn in left for need in waiting[urn]}
        if left <= needed:
            return left
        left &= needed
