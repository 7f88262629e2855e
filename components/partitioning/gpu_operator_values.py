"""What NVIDIA's GPU operator is told: values of its chart, MIG layouts, configurations of the device plugin.

Every key was held against the chart's values.yaml at tag v26.7.0 of NVIDIA/gpu-operator (read 2026-11-21); the chart
itself could not be rendered here. What the EKS machine image brings is off: driver and container toolkit (Amazon EKS
user guide, MIG on EKS). The chart upgrades its CRDs itself, by a hook (`operator.upgradeCRD`, on by default).
"""

import json
from collections.abc import Iterable, Mapping

from components.specs import Spec
from infra.conventions import GPU_RESOURCE, GPU_TAINT

NAMESPACE = "gpu-operator"
LAYOUTS = "gpu-platform-mig-layouts"
SHARES = "gpu-platform-device-plugin"
# Keys the operator wants: of the ConfigMap of layouts, and the layout of nodes that no label names one for.
LAYOUTS_KEY, DISABLED = "config.yaml", "all-disabled"
# Configuration of nodes with whole GPUs, which bear no label.
WHOLE = "whole"

_ON_SYSTEM_NODES = {"key": "CriticalAddonsOnly", "operator": "Exists"}


def namespace_spec(name: str) -> Spec:
    """Metadata of the operator's namespace. Its operands are privileged: they load the driver's devices."""
    labels = {"app.kubernetes.io/part-of": "gpu-platform", "pod-security.kubernetes.io/enforce": "privileged"}
    return {"name": name, "labels": labels}


def layouts_data(layouts: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """`ConfigMap.data` for the MIG manager: mig-parted's configuration (v0.15.0), as JSON, which is YAML.

    A map of our own replaces the one that the manager makes from the hardware, so `all-disabled` stands in it too.
    """
    configs: dict[str, object] = {DISABLED: [{"devices": "all", "mig-enabled": False}]}
    for name, devices in sorted(layouts.items()):
        configs[name] = [{"devices": "all", "mig-enabled": True, "mig-devices": dict(sorted(devices.items()))}]
    return {LAYOUTS_KEY: _text({"version": "v1", "mig-configs": configs})}


def shares_data(configurations: Iterable[str]) -> dict[str, str]:
    """`ConfigMap.data` for the device plugin: one configuration a key; a node's label names its own.

    Args:
        configurations: names as `infra.conventions.plugin_configuration` makes them.
    """
    found = {WHOLE: _text({"version": "v1", "flags": {"migStrategy": "none"}})}
    for name in sorted(set(configurations)):
        way, _, value = name.partition("-")
        found[name] = _text(
            {"version": "v1", "flags": {"migStrategy": value}} if way == "mig" else _sharing(way, int(value))
        )
    return found


def gpu_operator_values(tolerations: Iterable[Mapping[str, str]], service_monitors: bool) -> Spec:
    """The chart's values.

    Args:
        tolerations: taints of GPU pools beyond nvidia.com/gpu, startup taints among them: the operands must run on a
            node before its pods may.
        service_monitors: whether the exporter of GPU metrics gets a ServiceMonitor.
    """
    bears = [{"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"}, *(dict(item) for item in tolerations)]
    return {
        "driver": {"enabled": False},
        "toolkit": {"enabled": False},
        "operator": {"tolerations": [_ON_SYSTEM_NODES]},
        "daemonsets": {"tolerations": bears},
        # Left empty, the operator sets no MIG_STRATEGY, and the plugin takes each node's from its configuration
        # (controllers/object_controls.go, applyMIGConfiguration). The variable would beat the configuration.
        "mig": {"strategy": ""},
        "migManager": {
            "enabled": True,
            "config": {"create": False, "name": LAYOUTS, "default": DISABLED},
            "env": [{"name": "WITH_REBOOT", "value": "true"}],  # EC2 cannot reset GPUs that NVSwitch joins
        },
        "devicePlugin": {
            "enabled": True,
            "config": {"create": False, "name": SHARES, "default": WHOLE},
            # Before 0.19.3 it gave every pod all of /dev/infiniband, against the EFA plugin; stated, so that it stays.
            "env": [{"name": "MOFED_ENABLED", "value": "false"}],
        },
        "gfd": {"enabled": True},
        "dcgmExporter": {"enabled": True, "serviceMonitor": {"enabled": service_monitors}},
        "nfd": {"enabled": True},
        "node-feature-discovery": {
            "worker": {"tolerations": bears},
            "master": {"tolerations": [_ON_SYSTEM_NODES]},
            "gc": {"tolerations": [_ON_SYSTEM_NODES]},
        },
    }


def dra_driver_values(node_label: tuple[str, str], tolerations: Iterable[Mapping[str, str]]) -> Spec:
    """Values of the DRA driver's chart (dra-driver-nvidia-gpu 0.4.1): claims for GPUs and slices, on labelled nodes.

    Compute domains are for multi-node NVLink, which no instance type here has. `gpuResourcesEnabledOverride` is the
    chart's demand: it refuses GPUs by claim unless one confirms that no device plugin runs on the same nodes.
    """
    key, value = node_label
    bears = [{"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"}, *(dict(item) for item in tolerations)]
    return {
        "nvidiaDriverRoot": "/",
        "gpuResourcesEnabledOverride": True,
        "resources": {"gpus": {"enabled": True}, "computeDomains": {"enabled": False}},
        "kubeletPlugin": {"nodeSelector": {key: value}, "tolerations": bears},
    }


def _sharing(way: str, replicas: int) -> Spec:
    """A pod may ask for one share only: a second one would be no more of the GPU, and perhaps of the same."""
    share: Spec = {"resources": [{"name": GPU_RESOURCE, "replicas": replicas}]}
    if way == "timeSlicing":
        share["failRequestsGreaterThanOne"] = True  # with MPS the plugin refuses it always
    return {"version": "v1", "flags": {"migStrategy": "none"}, "sharing": {way: share}}


def _text(data: Spec) -> str:
    return json.dumps(data, indent=2) + "\n"
