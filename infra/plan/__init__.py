"""The plan: what one evaluation of the program would create, as typed objects.

Everything downstream reads it: the preview prints it, the tests assert on it, the policies judge it and the simulator
applies its Kubernetes half. `records` holds the objects, `ordering` their dependency order, `manifests` the
Kubernetes view, `serialization` the JSON, `reading` the way back from it and `tree` the text for people.
"""

from infra.plan.manifests import Manifest, known_manifests, kubernetes_manifests
from infra.plan.ordering import dependency_order
from infra.plan.reading import plan_from_json
from infra.plan.records import Marker, Plan, PlannedOptions, PlannedResource, Value
from infra.plan.serialization import plan_as_json
from infra.plan.tree import plan_as_tree

__all__ = [
    "Manifest",
    "Marker",
    "Plan",
    "PlannedOptions",
    "PlannedResource",
    "Value",
    "dependency_order",
    "known_manifests",
    "kubernetes_manifests",
    "plan_as_json",
    "plan_as_tree",
    "plan_from_json",
]
