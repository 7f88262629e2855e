"""The shape of a divided pool's objects: NodeOverlays (karpenter.sh/v1alpha1), DeviceClasses and claim templates."""

from collections.abc import Iterable, Mapping

from components.specs import Spec
from infra.conventions import INSTANCE_TYPE_LABEL, NODEPOOL_LABEL

# Driver of GPUs and slices by claim (dra-driver-nvidia-gpu); its devices say what they are in these attributes.
DRIVER = "gpu.nvidia.com"


def node_overlay_spec(pool: str, instance_types: Iterable[str], capacity: Mapping[str, int]) -> Spec:
    """`NodeOverlay.spec`: what nodes of these types in the pool will have, once they are cut or shared.

    Karpenter knows whole GPUs only. A zero takes them away: a pod for a whole GPU would otherwise start a node here
    and wait on it for ever.
    """
    return {
        "requirements": [
            {"key": NODEPOOL_LABEL, "operator": "In", "values": [pool]},
            {"key": INSTANCE_TYPE_LABEL, "operator": "In", "values": sorted(instance_types)},
        ],
        "capacity": {resource: str(count) for resource, count in sorted(capacity.items())},
    }


def device_class_spec(profile: str) -> Spec:
    """`DeviceClass.spec` (resource.k8s.io/v1) of one MIG profile, or of whole GPUs when it is empty."""
    mine = f'device.driver == "{DRIVER}"'
    attributes = f'device.attributes["{DRIVER}"]'
    which = f'{attributes}.type == "mig" && {attributes}.profile == "{profile}"' if profile else (
        f'{attributes}.type == "gpu"'
    )  # fmt: skip
    return {"selectors": [{"cel": {"expression": f"{mine} && {which}"}}]}


def claim_template_spec(device_class: str) -> Spec:
    """`ResourceClaimTemplate.spec`: a claim for one device of the class, for each pod that names the template."""
    request = {"name": "gpu", "exactly": {"deviceClassName": device_class, "count": 1}}
    return {"spec": {"devices": {"requests": [request]}}}


def device_class_name(pool: str, profile: str) -> str:
    """Name of the class and its templates: pool and profile, with only what a name may have."""
    return f"{pool}-{(profile or 'gpu').replace('.', '-').replace('+', '-')}"
