"""The longest chain of resources that wait for each other when a plan is created from nothing.

What waits for what, in the Python SDK and the engine (pulumi 3.272, runtime/resource.py and runtime/rpc.py): before a
resource is registered the SDK awaits the URN of its parent, of its provider, of what it depends on and of what its
inputs come from; the URN of a custom resource arrives when it has been created. A dependency on a component of the
program is one on everything in it: the SDK replaces it by the component's children, so no plan holds such an edge. The
component's own registration takes no time but waits for what the component depends on, and its children wait for that.
"""

from collections.abc import Callable

from infra.plan.ordering import dependency_order, predecessors
from infra.plan.records import Plan, PlannedResource

Seconds = Callable[[PlannedResource], float]


def critical_path(plan: Plan, seconds: Seconds) -> tuple[PlannedResource, ...]:
    """The chain whose seconds are the most, first to last; of equal ones the one that URNs put first.

    With as many operations at a time as the engine likes, creating the plan takes as long as this chain.

    Args:
        seconds: how long one resource takes; not negative.

    Raises:
        PlatformError: when the dependencies form a cycle.
    """
    by_urn = plan.by_urn()
    ends: dict[str, float] = {}  # seconds until a resource is there
    before: dict[str, str] = {}  # the one it waited for last
    for resource in dependency_order(plan):
        needs = sorted(urn for urn in predecessors(resource) if urn in ends)
        last = max(needs, key=lambda urn: ends[urn], default="")
        ends[resource.urn] = seconds(resource) + ends.get(last, 0.0)
        before[resource.urn] = last
    if not ends:
        return ()
    chain = [max(sorted(ends), key=lambda urn: ends[urn])]
    while before[chain[-1]]:
        chain.append(before[chain[-1]])
    return tuple(by_urn[urn] for urn in reversed(chain))


def is_operation(resource: PlannedResource) -> bool:
    """Whether the engine does something for it; a component of the program is only a name for its children."""
    return (resource.custom or resource.remote) and not resource.read
