"""What must outlive what of the fabric: what EFA nodes live by, and the operators of divided cards."""

from collections.abc import Iterator
from typing import Any

from infra.conventions import NODEPOOL_LABEL
from infra.plan import PlannedResource
from infra.planning.destroy.requirement import Found, Requirement, metadata, ordered

_DEVICE_PLUGIN = "aws-efa-k8s-device-plugin"


def rules(found: Found) -> Iterator[Requirement]:
    """Every requirement of the fabric."""
    classes = found.objects("EC2NodeClass")
    with_efa = [item for item in classes if _has_efa(item)]
    yield from ordered(with_efa, found.releases(_DEVICE_PLUGIN), "pods hold EFA interfaces until their nodes are gone")
    for overlay in found.objects("NodeOverlay"):
        pools = [item for item in found.objects("NodePool") if metadata(item, "name") in _pools_of(overlay)]
        yield from ordered(pools, [overlay], "without it Karpenter takes nodes of the pool for smaller than they are")
    for group in found.of("aws:ec2/placementGroup:PlacementGroup"):
        inside = [item for item in classes if _group_of(item) == group.inputs.get("name")]
        yield from ordered(inside, [group], "EC2 keeps a placement group while a machine stands in it")
    yield from ordered(
        found.objects("SriovNetworkNodePolicy"),
        found.objects("SriovOperatorConfig"),
        "without the configuration no daemon is on the nodes that gives the card back",
    )
    for policy in found.objects("SriovNetworkNodePolicy"):
        resource = _spec(policy).get("resourceName")
        networks = found.objects("SriovNetwork", "SriovIBNetwork")
        mine = [item for item in networks if _spec(item).get("resourceName") == resource]
        yield from ordered(mine, [policy], "no pod attaches to a card that is no longer divided")
    yield from ordered(
        found.objects("SriovNetwork", "SriovIBNetwork", "MacvlanNetwork"),
        found.objects("NicClusterPolicy"),
        "Multus, which detaches pods from networks, is the policy's",
    )


def _has_efa(node_class: PlannedResource) -> bool:
    interfaces: Any = _spec(node_class).get("networkInterfaces") or []
    return any(item.get("interfaceType") == "efa-only" for item in interfaces)


def _group_of(node_class: PlannedResource) -> Any:
    selector: Any = _spec(node_class).get("placementGroupSelector") or {}
    return selector.get("name")


def _pools_of(overlay: PlannedResource) -> set[str]:
    requirements: Any = _spec(overlay).get("requirements") or []
    return {value for item in requirements if item["key"] == NODEPOOL_LABEL for value in item.get("values", [])}


def _spec(resource: PlannedResource) -> dict[str, Any]:
    spec: Any = resource.inputs["spec"]
    return dict(spec)
