"""One line that says what matters about a resource, for people who read a plan."""

from collections.abc import Callable, Mapping
from typing import Any

from infra.conventions import CAPACITY_TYPE_LABEL, GPU_NAME_LABEL, GPU_RESOURCE, INSTANCE_TYPE_LABEL
from infra.plan.records import Marker, PlannedResource


def summary(resource: PlannedResource) -> str:
    """What matters about `resource`, in a few words; empty when its type and name say it all."""
    describe = _DESCRIBERS.get(resource.type_token.rpartition(":")[2])
    return describe(resource.inputs) if describe else ""


def _node_pool(inputs: Mapping[str, Any]) -> str:
    spec = inputs["spec"]
    requirements = {item["key"]: item["values"] for item in spec["template"]["spec"]["requirements"]}
    machines = requirements.get(INSTANCE_TYPE_LABEL) or [f"any {name}" for name in requirements[GPU_NAME_LABEL]]
    capacity = "/".join(requirements[CAPACITY_TYPE_LABEL])
    weight = f", weight {spec['weight']}" if "weight" in spec else ""
    gpus, nodes = spec["limits"][GPU_RESOURCE], spec["limits"]["nodes"]
    return f"{_few(machines)}, {capacity}, at most {gpus} GPUs on {nodes} nodes{weight}"


def _node_class(inputs: Mapping[str, Any]) -> str:
    spec = inputs["spec"]
    alias = ", ".join(term.get("alias", "?") for term in spec["amiSelectorTerms"])
    reservations = spec.get("capacityReservationSelectorTerms", [])
    disk = "NVMe RAID0" if spec.get("instanceStorePolicy") else spec["blockDeviceMappings"][0]["ebs"]["volumeSize"]
    return f"{alias}, {disk}" + (
        f", reserved: {', '.join(item.get('id', '?') for item in reservations)}" if reservations else ""
    )


def _deployment(inputs: Mapping[str, Any]) -> str:
    spec = inputs["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    gpus = container["resources"]["limits"].get(GPU_RESOURCE, "0")
    model = container.get("args", [""])[0]
    return f"{spec['replicas']} x {gpus} GPU, {model}, {_text(container['image']).rpartition('/')[2]}"


def _service(inputs: Mapping[str, Any]) -> str:
    return f"{inputs['spec']['type']}:{inputs['spec']['ports'][0]['port']}"


def _budget(inputs: Mapping[str, Any]) -> str:
    return f"at most {inputs['spec']['maxUnavailable']} unavailable"


def _few(words: list[str]) -> str:
    return ", ".join(words) if len(words) <= 3 else f"{words[0]} ... {words[-1]} ({len(words)} types)"


def _text(value: object) -> str:
    return value.value if isinstance(value, Marker) else str(value)


_DESCRIBERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "NodePool": _node_pool,
    "EC2NodeClass": _node_class,
    "Deployment": _deployment,
    "Service": _service,
    "PodDisruptionBudget": _budget,
}
