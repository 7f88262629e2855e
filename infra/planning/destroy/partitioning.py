"""What must outlive what where GPUs are divided.

A pool goes before what it was told and before what makes its nodes usable: while it lives, Karpenter may start another
node, which would wait for ever. And a right is never wider than it was meant to be, not even on the way out.
"""

from collections.abc import Iterator
from typing import Any

from infra.conventions import CLAIMED_LABEL, NODEPOOL_LABEL, PARTITION_TAINT
from infra.plan import PlannedResource
from infra.planning.destroy.requirement import Found, Requirement, metadata, ordered

OPERATOR_CHART, DRA_CHART = "gpu-operator", "dra-driver-nvidia-gpu"
_ACCESS = ("ClusterRoleBinding", "RoleBinding")


def rules(found: Found) -> Iterator[Requirement]:
    """Every requirement of divided GPUs."""
    yield from _pools(found)
    yield from _operator(found)
    yield from _gate(found)
    for template in found.objects("ResourceClaimTemplate"):
        classes = [item for item in found.objects("DeviceClass") if metadata(item, "name") in _texts(template.inputs)]
        yield from ordered([template], classes, "its claims are for devices of the class")
    claims = found.objects("DeviceClass", "ResourceClaimTemplate")
    yield from ordered(claims, found.releases(DRA_CHART), "nobody prepares what is claimed by it without the driver")


def _pools(found: Found) -> Iterator[Requirement]:
    """Pools before the NodeOverlays and DeviceClasses that speak of their nodes, and before who divides these."""
    for pool in found.objects("NodePool"):
        name, template = metadata(pool, "name"), _template(pool)
        overlays = [item for item in found.objects("NodeOverlay") if name in _pools_of(item)]
        yield from ordered([pool], overlays, "Karpenter sizes the pool's machines by it")
        labels = (template.get("metadata") or {}).get("labels") or {}
        if any(key.startswith("nvidia.com/") for key in labels):
            reason = "a node of the pool that still comes would never get its devices"
            yield from ordered([pool], found.releases(OPERATOR_CHART), reason)
        if CLAIMED_LABEL in labels:
            yield from ordered([pool], found.releases(DRA_CHART), "its pods end when the driver has given back claims")
        startup = {taint["key"] for taint in (template.get("spec") or {}).get("startupTaints") or ()}
        if PARTITION_TAINT in startup:
            gates = [item for item in found.objects("DaemonSet") if PARTITION_TAINT in _texts(item.inputs)]
            yield from ordered([pool], gates, "a node of the pool that still comes would keep its startup taint")


def _operator(found: Found) -> Iterator[Requirement]:
    """The operator before the maps its pods mount; it and the driver before their namespaces."""
    for release in (*found.releases(OPERATOR_CHART), *found.releases(DRA_CHART)):
        space = release.inputs.get("namespace")
        named = [
            item
            for item in found.objects("ConfigMap")
            if metadata(item, "namespace") == space and metadata(item, "name") in _texts(release.inputs.get("values"))
        ]
        yield from ordered([release], named, "its pods read it")
        spaces = [item for item in found.objects("Namespace") if metadata(item, "name") == space]
        yield from ordered([release], spaces, "a namespace deletes what is in it, in no order")


def _gate(found: Found) -> Iterator[Requirement]:
    """Who acts before its right, a right before what bounds it, each before what it names."""
    bounds = found.objects("ValidatingAdmissionPolicyBinding")
    for binding in found.objects(*_ACCESS):
        who: Any = [subject.get("name") for subject in binding.inputs.get("subjects") or ()]  # type: ignore[union-attr]
        actors = [item for item in found.objects("DaemonSet", "Deployment") if _account(item) in who]
        yield from ordered(actors, [binding], "its pods act with this right to the end")
        accounts = [item for item in found.objects("ServiceAccount") if metadata(item, "name") in who]
        role: Any = binding.inputs.get("roleRef") or {}
        roles = [item for item in found.objects("ClusterRole", "Role") if metadata(item, "name") == role.get("name")]
        yield from ordered([binding], [*accounts, *roles], "it is named in it")
        mine = [item for item in bounds if _policy(item) == role.get("name")]
        yield from ordered([binding], mine, "the right would be wider without it")
    for bound in bounds:
        policies = [
            item for item in found.objects("ValidatingAdmissionPolicy") if metadata(item, "name") == _policy(bound)
        ]
        yield from ordered([bound], policies, "it is named in it")


def _policy(bound: PlannedResource) -> str:
    spec: Any = bound.inputs.get("spec") or {}
    return str(spec.get("policyName"))


def _account(server: PlannedResource) -> str:
    return str(_template(server).get("spec", {}).get("serviceAccountName", ""))


def _template(holder: PlannedResource) -> dict[str, Any]:
    spec: Any = holder.inputs.get("spec") or {}
    return spec.get("template") or {}


def _pools_of(overlay: PlannedResource) -> set[str]:
    spec: Any = overlay.inputs.get("spec") or {}
    return {
        value
        for item in spec.get("requirements") or ()
        if item["key"] == NODEPOOL_LABEL
        for value in item.get("values") or ()
    }


def _texts(value: Any) -> set[str]:
    """Every text in a value, keys left out."""
    if isinstance(value, dict):
        return {text for item in value.values() for text in _texts(item)}
    if isinstance(value, list):
        return {text for item in value for text in _texts(item)}
    return {value} if isinstance(value, str) else set()
