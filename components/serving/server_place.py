"""The place of a server's pod beside its pools: apart from its like, and whom it yields to. Values in, dicts out."""

from components.serving.place_args import ServerPlaceArgs
from components.specs import Spec

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"

REQUIRED = "required"


def zone_constraints(selector: Spec, place: ServerPlaceArgs, version_label: str = "pod-template-hash") -> list[Spec]:
    """`topologySpreadConstraints` over zones.

    Where it is required, each version of a server is counted by itself: old and new servers stand side by side during a
    rollout, and together they would forbid the zone that the new one needs. And zones are counted in which no node
    stands yet: the scheduler knows none of them, and would hold one zone with all servers for an even spread
    (Kubernetes documentation, Pod Topology Spread Constraints, minDomains).

    Args:
        version_label: the label by which a controller tells versions apart. Default: a Deployment's.
    """
    required = place.get("zones_apart") == REQUIRED
    among: Spec = {"minDomains": place["zones"]} if required and "zones" in place else {}
    return [
        {
            "maxSkew": 1,
            "topologyKey": ZONE,
            # Preferred by default: GPUs are often to be had in one zone only.
            "whenUnsatisfiable": "DoNotSchedule" if required else "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector},
            **({"matchLabelKeys": [version_label]} if required else {}),
            **among,
        }
    ]


def nodes_apart(selector: Spec, place: ServerPlaceArgs) -> Spec:
    """`podAntiAffinity`: servers of one model on nodes of their own, required or preferred."""
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": selector}}
    if place.get("nodes_apart") == REQUIRED:
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    # Preferred: replicas apart, so that one node takes one of them; together rather than not at all.
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}


def priority(place: ServerPlaceArgs) -> Spec:
    """`priorityClassName`, where there is one."""
    return {"priorityClassName": place["priority_class"]} if "priority_class" in place else {}
