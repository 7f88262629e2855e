"""The order in which the engine destroys a plan.

The engine deletes a resource only when everything that depends on it is gone: what lists it as a dependency, reads one
of its outputs, uses it as provider or has it as parent (pulumi pkg/v3 v3.250.0, resource/graph/dependency_graph.go and
deploy/step_generator.go, ScheduleDeletes). A child goes before its component, and so before whatever the component
waits for. Components themselves are no operations.
"""

from dataclasses import dataclass

from infra.plan import Plan, PlannedResource
from infra.plan.ordering import predecessors


@dataclass(frozen=True, slots=True)
class Edge:
    """`first` is deleted before `then`, because it depends on it directly. Both are URNs."""

    first: str
    then: str


class DestroyGraph:
    """Who goes before whom when everything is destroyed."""

    def __init__(self, plan: Plan) -> None:
        self._names = [resource.urn for resource in plan]  # dependencies come first
        self._index = {urn: position for position, urn in enumerate(self._names)}
        self.edges = tuple(
            Edge(resource.urn, urn)
            for resource in plan
            for urn in sorted(predecessors(resource) | ({resource.options.deleted_with} - {""}))
            if urn in self._index
        )
        self.operations = tuple(resource for resource in plan if is_operation(resource))
        self._operation_bits = sum(1 << self._index[resource.urn] for resource in self.operations)

    def order(self, without: Edge | None = None) -> "Order":
        """The order that the edges make, all of them or all but one."""
        later = [0] * len(self._names)
        for edge in self.edges:  # sorted by `first`, each after everything it depends on
            if edge != without:
                then = self._index[edge.then]
                later[self._index[edge.first]] |= later[then] | 1 << then
        return Order(self._index, tuple(bits & self._operation_bits for bits in later), self._operation_bits)


class Order:
    """What a set of edges says about operations, directly or through others."""

    def __init__(self, index: dict[str, int], later: tuple[int, ...], operations: int) -> None:
        self._index = index
        self._later = tuple(bits if operations >> position & 1 else 0 for position, bits in enumerate(later))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and self._later == other._later

    __hash__ = None  # type: ignore[assignment]  # compared, never kept in a set

    def holds(self, first: str, then: str) -> bool:
        """Whether `first` is certain to be gone before the deletion of `then` begins."""
        return bool(self._later[self._index[first]] >> self._index[then] & 1)


def is_operation(resource: PlannedResource) -> bool:
    """Whether the engine asks a provider to delete it; components and what is only read it just forgets."""
    return (resource.custom or resource.remote) and not resource.read
