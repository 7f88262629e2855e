"""Whether the order in which the engine would destroy a plan is safe."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infra.plan import Plan
from infra.planning.destroy import beside, canary, fabric, gateway, inside, partitioning, storage
from infra.planning.destroy.graph import DestroyGraph, Order
from infra.planning.destroy.requirement import Found, Requirement


@dataclass(frozen=True, slots=True)
class Violation:
    """Two resources that may be deleted in the wrong order, by name, and why that matters."""

    first: str
    then: str
    why: str

    def __str__(self) -> str:
        return f"{self.first} may be deleted after {self.then}; it must go first: {self.why}"


def requirements(plan: Plan) -> list[Requirement]:
    """Everything that a safe destroy of the plan keeps in order."""
    found = Found(plan)
    return [
        *inside.rules(found),
        *fabric.rules(found),
        *gateway.rules(found),
        *canary.rules(found),
        *partitioning.rules(found),
        *beside.rules(found),
        *storage.rules(found),
    ]


def violations(plan: Plan) -> list[Violation]:
    """What the plan's dependencies do not keep in order; empty when a destroy is safe."""
    names = {resource.urn: f"{resource.type_token.rpartition(':')[2]} {resource.name}" for resource in plan}
    broken = dict.fromkeys(unmet(DestroyGraph(plan).order(), requirements(plan)))
    return [Violation(names[item.first], names[item.then], item.why) for item in broken]


def unmet(order: Order, required: Iterable[Requirement]) -> Iterator[Requirement]:
    """The requirements that `order` does not hold."""
    return (item for item in required if not order.holds(item.first, item.then))
