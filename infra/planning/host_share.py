"""How much of a node's CPU, memory and disk one server asks for when its settings do not say."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from infra.catalog.instances import GpuInstanceType

# Left for the kubelet, the system and DaemonSets (GPU Operator, CSI, monitoring). Our choice: on the smallest type we
# use, g6.xlarge (4 vCPU, 16 GiB), it leaves 0.8 vCPU and over 3 GiB.
NODE_OVERHEAD = 0.2

# Host memory that an engine needs beside KV blocks: interpreter, tokenizer, CUDA context, one shard while it loads.
# Our choice, until it is measured.
LEAST_HOST_GIB = 8

# Beside the checkpoint, the cache holds the tokenizer, lock files and vLLM's compile cache. Our choice: a tenth of the
# checkpoint and 10 GiB.
CACHE_MARGIN_SHARE = 0.1
CACHE_MARGIN_GIB = 10

# A LoRA adapter, for each unit of its rank: on every linear layer of Llama 3 70B in float32, 80 layers x 161,792 inputs
# and outputs x 4 bytes = 0.048 GiB. Our allowance; a smaller model has less, a repository with other files more.
ADAPTER_GIB_PER_RANK = 0.05

# vLLM 0.33 config/lora.py, max_lora_rank.
DEFAULT_LORA_RANK = 16


@dataclass(frozen=True, slots=True)
class HostShare:
    """CPU in whole cores and memory in whole GiB that one server requests."""

    cpu: int
    memory_gib: int


def host_share(candidates: Iterable[GpuInstanceType], gpus: float) -> HostShare:
    """The share of the host that comes with `gpus` GPUs on the leanest of the machines that have that many.

    Args:
        candidates: instance types a pool may start.
        gpus: GPUs of one server; a part of one where GPUs are divided.

    Raises:
        ValueError: when no candidate has that many GPUs.
    """
    able = [item for item in candidates if item.gpu_count >= gpus]
    if not able:
        raise ValueError(f"no candidate has {gpus} GPUs")
    cpu = min(item.vcpu * gpus / item.gpu_count for item in able)
    memory = min(item.memory_gib * gpus / item.gpu_count for item in able)
    return HostShare(
        cpu=max(1, for_servers(cpu)),
        memory_gib=max(1, for_servers(memory)),
    )


def for_servers(amount: float) -> int:
    """What servers may ask for of so much CPU or memory of a node: whole units, without what the system takes."""
    return math.floor(amount * (1 - NODE_OVERHEAD))


def cache_gib(checkpoint_gib: float) -> int:
    """Disk in GiB for the model's files and the engine's caches."""
    return math.ceil(checkpoint_gib * (1 + CACHE_MARGIN_SHARE) + CACHE_MARGIN_GIB)
