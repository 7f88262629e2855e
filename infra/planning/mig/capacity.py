"""What the device plugin reports on a node whose GPUs are cut or shared.

Sources: NVIDIA k8s-device-plugin v0.20.0, README (MIG strategies, shared access); GPU operator v26.7.0. The resource
names are the plugin's.
"""

from collections.abc import Mapping
from typing import Literal

from infra.catalog.mig import MigGpu
from infra.conventions import GPU_RESOURCE
from infra.planning.mig.layouts import MigLayout

# mixed: each profile is a resource of its own. single: every slice counts as a whole GPU, all must be alike.
Strategy = Literal["mixed", "single"]
# Time slicing: pods take turns on a GPU and see all its memory. MPS: they run at once, each with its share of memory.
Sharing = Literal["timeSlicing", "mps"]

# From a node that is ready to slices that can be used: the MIG manager stops the GPU's clients and reboots.
# Source: ../shared/knowledge/aws.md section 6 as read 2026-11-21 (about ten minutes).
REPARTITION_SECONDS = 600


def mig_capacity(gpu: MigGpu, layout: MigLayout, strategy: Strategy, gpus: int) -> dict[str, int]:
    """Devices of a node with `gpus` GPUs, all cut like `layout`, by resource.

    Under `mixed` there is no whole GPU left, and that is said: a node that leaves it open would be taken to have some.
    """
    if strategy == "single":
        return {GPU_RESOURCE: sum(layout.devices.values()) * gpus}
    slices = {gpu.profiles[name].resource: count * gpus for name, count in layout.devices.items() if count}
    return {**slices, GPU_RESOURCE: 0}


def mig_resource(gpu: MigGpu, profile: str, strategy: Strategy) -> str:
    """The resource by which a pod asks for one slice of a profile."""
    return gpu.profiles[profile].resource if strategy == "mixed" else GPU_RESOURCE


def shared_capacity(replicas: int, gpus: int) -> Mapping[str, int]:
    """Devices of a node whose GPUs each count `replicas` times, by time slicing or MPS."""
    return {GPU_RESOURCE: replicas * gpus}
