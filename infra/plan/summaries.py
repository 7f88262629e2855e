"""One line that says what matters about a resource, for people who read a plan."""

from collections.abc import Callable, Mapping
from typing import Any

from infra.conventions import CAPACITY_TYPE_LABEL, GPU_NAME_LABEL, GPU_RESOURCE, INSTANCE_TYPE_LABEL
from infra.plan.records import Marker, PlannedResource, Value


def summary(resource: PlannedResource) -> str:
    """What matters about `resource`, in a few words; empty when its type and name say it all."""
    describe = _DESCRIBERS.get(resource.type_token.rpartition(":")[2])
    if describe is None:
        return ""
    try:
        return describe({key: _shown(value) for key, value in resource.inputs.items()})
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        return ""  # part of it is unknown or left out; the object itself is still listed


def _shown(value: Value) -> Any:  # the same data with markers as text
    if isinstance(value, Marker):
        return value.value
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return value


def _node_pool(inputs: Mapping[str, Any]) -> str:
    spec = inputs["spec"]
    requirements = {item["key"]: item.get("values", []) for item in spec["template"]["spec"]["requirements"]}
    machines = _few(requirements.get(INSTANCE_TYPE_LABEL, []))
    for label, kind in ((GPU_NAME_LABEL, "any"), ("karpenter.k8s.aws/instance-category", "any of")):
        machines = machines or " ".join([kind, *requirements.get(label, [])])
        machines = "" if machines == kind else machines
    capacity = "/".join(requirements.get(CAPACITY_TYPE_LABEL, []))
    limits = ", ".join(f"{amount} {_UNITS.get(name, name)}" for name, amount in spec.get("limits", {}).items())
    size = [f"always {spec['replicas']} nodes"] if "replicas" in spec else []
    weight = [f"weight {spec['weight']}"] if "weight" in spec else []
    return ", ".join([*filter(None, (machines, capacity)), *size, f"at most {limits}", *weight])


_UNITS = {GPU_RESOURCE: "GPUs", "cpu": "vCPUs", "memory": "memory"}


def _node_class(inputs: Mapping[str, Any]) -> str:
    spec = inputs["spec"]
    alias = ", ".join(term.get("alias", "?") for term in spec["amiSelectorTerms"])
    reservations = spec.get("capacityReservationSelectorTerms", [])
    disk = "NVMe RAID0" if spec.get("instanceStorePolicy") else spec["blockDeviceMappings"][0]["ebs"]["volumeSize"]
    efa = [item for item in spec.get("networkInterfaces", []) if item["interfaceType"] == "efa-only"]
    return (
        f"{alias}, {disk}"
        + (f", {len(efa)} EFA interfaces" if efa else "")
        + (f", reserved: {', '.join(item.get('id', '?') for item in reservations)}" if reservations else "")
    )


def _node_overlay(inputs: Mapping[str, Any]) -> str:
    amounts = [f"{name} {amount}" for name, amount in inputs["spec"].get("capacity", {}).items()]
    places = [value for item in inputs["spec"]["requirements"] for value in item.get("values", [])]
    return f"{', '.join(amounts)} on {_few(places)}"


def _divided_card(inputs: Mapping[str, Any]) -> str:
    spec = inputs["spec"]
    return f"{spec['numVfs']} virtual functions of each of {', '.join(spec['nicSelector']['pfNames'])}"


def _deployment(inputs: Mapping[str, Any]) -> str:
    spec = inputs["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    limits, image = container["resources"]["limits"], str(container["image"]).rpartition("/")[2]
    devices = [f"{count} {_device(name)}" for name, count in limits.items() if name.startswith("nvidia.com/")]
    if not devices:
        return f"{spec['replicas']} x {image}"
    return f"{spec['replicas']} x {', '.join(devices)}, {container.get('args', [''])[0]}, {image}"


def _device(name: str) -> str:
    return "GPU" if name == GPU_RESOURCE else name.removeprefix("nvidia.com/")


def _group_set(inputs: Mapping[str, Any]) -> str:
    spec = inputs["spec"]
    template = spec["leaderWorkerTemplate"]
    container = template["leaderTemplate"]["spec"]["containers"][0]
    gpus = container["resources"]["limits"].get(GPU_RESOURCE, "0")
    image = str(container["image"]).rpartition("/")[2]
    return f"{spec['replicas']} x {template['size']} nodes x {gpus} GPU, {container['args'][0]}, {image}"


def _inference_service(inputs: Mapping[str, Any]) -> str:
    predictor = inputs["spec"]["predictor"]
    mode = inputs["metadata"]["annotations"].get("serving.kserve.io/deploymentMode", "")
    return f"{mode}, {predictor['minReplicas']} x {_kserve_server(predictor)}"


def _llm_inference_service(inputs: Mapping[str, Any]) -> str:
    spec = inputs["spec"]
    prefill = spec.get("prefill")
    apart = f"prefill {prefill['replicas']} x {_kserve_server(prefill['template'])}, " if prefill else ""
    return f"{apart}{spec['replicas']} x {_kserve_server(spec['template'])}"


def _kserve_server(pod: Mapping[str, Any]) -> str:
    container = pod["containers"][0]
    return (
        f"{container['resources']['limits'].get(GPU_RESOURCE, '0')} GPU, {str(container['image']).rpartition('/')[2]}"
    )


def _service(inputs: Mapping[str, Any]) -> str:
    return f"{inputs['spec']['type']}:{inputs['spec']['ports'][0]['port']}"


def _budget(inputs: Mapping[str, Any]) -> str:
    return f"at most {inputs['spec']['maxUnavailable']} unavailable"


def _few(words: list[str]) -> str:
    return ", ".join(words) if len(words) <= 3 else f"{words[0]} ... {words[-1]} ({len(words)} types)"


def _release(inputs: Mapping[str, Any]) -> str:
    return f"{str(inputs['chart']).rpartition('/')[2]} {inputs.get('version', '')!s}"


def _cluster(inputs: Mapping[str, Any]) -> str:
    endpoint = "public endpoint" if inputs.get("endpointPublicAccess") else "private endpoint"
    return f"Kubernetes {inputs.get('version')}, {endpoint}, {len(inputs.get('accessEntries', {}))} access entries"


def _node_group(inputs: Mapping[str, Any]) -> str:
    scaling = inputs["scalingConfig"]
    return f"{scaling['minSize']} to {scaling['maxSize']} x {_few(inputs['instanceTypes'])}"


def _hook(inputs: Mapping[str, Any]) -> str:
    """What a delete hook runs; the environment that finds the command is of no interest."""
    command = str(inputs["delete"])
    return "on destroy: " + command.rpartition("; exec ")[2].removeprefix("gpu-platform ")


_DESCRIBERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "NodePool": _node_pool,
    "EC2NodeClass": _node_class,
    "NodeOverlay": _node_overlay,
    "SriovNetworkNodePolicy": _divided_card,
    "Deployment": _deployment,
    "LeaderWorkerSet": _group_set,
    "InferenceService": _inference_service,
    "LLMInferenceService": _llm_inference_service,
    "Service": _service,
    "Release": _release,
    "Cluster": _cluster,
    "NodeGroup": _node_group,
    "Addon": lambda inputs: str(inputs.get("addonVersion", "")),
    "Subnet": lambda inputs: f"{inputs['cidrBlock']!s} in {inputs['availabilityZoneId']!s}",
    "Vpc": lambda inputs: str(inputs["cidrBlock"]),
    "PodDisruptionBudget": _budget,
    "Command": _hook,
}
