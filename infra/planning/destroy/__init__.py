"""How a plan ends: in which order the engine deletes, whether that order is safe, and what is left afterwards.

`graph` is the order that follows from the dependencies, as the engine makes it. `inside` and `beside` say what must
outlive what, in the cluster and in AWS, each with its reason; `order` holds the two against each other. `survivors`
lists what a destroy does not remove.
"""

from infra.planning.destroy.graph import DestroyGraph, Edge, Order
from infra.planning.destroy.order import Violation, requirements, unmet, violations
from infra.planning.destroy.requirement import Requirement
from infra.planning.destroy.survivors import Survivor, survivors, survivors_as_text

__all__ = [
    "DestroyGraph",
    "Edge",
    "Order",
    "Requirement",
    "Survivor",
    "Violation",
    "requirements",
    "survivors",
    "survivors_as_text",
    "unmet",
    "violations",
]
