"""What an instance type gives to a node: capacity, allocatable and the labels Karpenter puts on it.

The formulas are Karpenter's: karpenter-provider-aws v1.14.1, pkg/providers/instancetype/types.go (computeRequirements,
computeCapacity, kubeReservedResources, evictionThreshold). A test holds their result against the figures that Karpenter
publishes for every type of the catalogue.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from infra.catalog.instances import GpuInstanceType, gpu_instance_types
from infra.conventions import EFA_RESOURCE, GPU_RESOURCE
from infra.planning.placement.general import GENERAL_INSTANCE_TYPES, GeneralInstanceType
from infra.planning.placement.pools import NodeClass

GPU = GPU_RESOURCE
EFA = EFA_RESOURCE

_MIB = 1024**2
_GIB = 1024**3

# `settings.vmMemoryOverheadPercent` of the chart: memory that the hypervisor keeps.
_VM_OVERHEAD = 0.075
# Gravitons keep this much more for contiguous allocation, in MiB.
_ARM_RESERVED_MIB = 64
# kube-reserved memory is 11 MiB a pod and 255 MiB; kubelet evicts below 100 MiB.
_RESERVED_MIB_PER_POD, _RESERVED_MIB, _EVICTION_MIB = 11, 255, 100
# kube-reserved CPU: (up to millicores, share of that range).
_CPU_RESERVED = ((1000, 0.06), (2000, 0.01), (4000, 0.005), (math.inf, 0.0025))
# kube-reserved storage 1 GiB, and kubelet evicts below a tenth. A root volume is 20 GiB by default (DefaultEBS).
_STORAGE_RESERVED, _STORAGE_EVICTION, _DEFAULT_ROOT = _GIB, Decimal("0.1"), Decimal(20 * _GIB)

_CATEGORY = re.compile(r"(^[a-z]+)(-[0-9]+tb)?([0-9]+).*\.")
_PREFIX = "karpenter.k8s.aws/instance-"


@dataclass(frozen=True, slots=True)
class Shape:
    """One EC2 instance type as Karpenter sees it.

    Attributes:
        arch: `amd64` or `arm64`.
        memory_mib: what EC2 states, before the hypervisor's share.
        pods: pods that its addresses allow; None where not known, then kubelet's default of 110 counts.
        usd_per_hour: on-demand in us-east-1, only used to compare; None sorts last.
        capacity_types: of `on-demand`, `spot`, `reserved`, what EC2 sells it as.
        labels: labels that Karpenter derives from the type. A key that is absent is one the type does not have.
    """

    name: str
    arch: str
    vcpu: int
    memory_mib: int
    gpus: int
    efa_interfaces: int
    nvme_gb: int
    pods: int | None
    usd_per_hour: float | None
    capacity_types: frozenset[str]
    labels: Mapping[str, str]

    def capacity(self, node_class: NodeClass) -> dict[str, Decimal]:
        """What a node of this type reports as capacity; resources it has none of are left out."""
        memory = self.memory_mib - (_ARM_RESERVED_MIB if self.arch == "arm64" else 0)
        memory -= math.ceil(memory * _VM_OVERHEAD)
        efa = self.efa_interfaces if node_class.efa_only_interfaces is None else node_class.efa_only_interfaces
        amounts = {
            "cpu": Decimal(self.vcpu),
            "memory": Decimal(memory * _MIB),
            "ephemeral-storage": self._storage(node_class),
            "pods": Decimal(self._pods(node_class)),
            GPU: Decimal(self.gpus),
            EFA: Decimal(efa),
        }
        return {key: amount for key, amount in amounts.items() if amount > 0}

    def allocatable(self, node_class: NodeClass) -> dict[str, Decimal]:
        """What of the capacity pods can have."""
        capacity = self.capacity(node_class)
        reserved = _RESERVED_MIB_PER_POD * self._pods(node_class) + _RESERVED_MIB + _EVICTION_MIB
        storage = capacity["ephemeral-storage"]
        return capacity | {
            "cpu": capacity["cpu"] - Decimal(_reserved_millicores(self.vcpu)) / 1000,
            "memory": capacity["memory"] - reserved * _MIB,
            "ephemeral-storage": storage - _STORAGE_RESERVED - (storage * _STORAGE_EVICTION).to_integral_value(),
        }

    def _storage(self, node_class: NodeClass) -> Decimal:
        if node_class.raid0 and self.nvme_gb:
            return Decimal(self.nvme_gb) * 10**9
        return node_class.root_volume or _DEFAULT_ROOT

    def _pods(self, node_class: NodeClass) -> int:
        return node_class.max_pods or self.pods or 110


@cache
def shapes() -> tuple[Shape, ...]:
    """Every instance type of the catalogue that a plain node can be made of, by name.

    Types with a fraction of a GPU are left out: the scheduler sees no GPU on them without a NodeOverlay.
    """
    gpu = [_gpu_shape(item) for item in gpu_instance_types().values() if not item.is_fractional]
    general = [_general_shape(item) for item in GENERAL_INSTANCE_TYPES]
    return tuple(sorted([*gpu, *general], key=lambda shape: shape.name))


def _reserved_millicores(vcpu: int) -> int:
    reserved, start, total = 0, 0.0, vcpu * 1000
    for end, share in _CPU_RESERVED:
        if total > start:
            reserved += int((min(total, end) - start) * share)
        start = end
    return reserved


def _gpu_shape(item: GpuInstanceType) -> Shape:
    memory_mib = round(item.memory_gib * 1024)
    labels = _labels(item.name, item.kubernetes_arch, item.vcpu, memory_mib, round(item.network_gbps * 1000))
    if item.nvme_gb:
        labels[f"{_PREFIX}local-nvme"] = str(item.nvme_gb)
    labels |= {
        f"{_PREFIX}gpu-name": item.gpu,
        f"{_PREFIX}gpu-manufacturer": "nvidia",
        f"{_PREFIX}gpu-count": str(item.gpu_count),
    }
    if item.gpu_memory_mib is not None:
        labels[f"{_PREFIX}gpu-memory"] = str(item.gpu_memory_mib)
    sold = frozenset({"reserved", *({"on-demand", "spot"} & set(item.usage_classes))})
    return Shape(
        item.name,
        item.kubernetes_arch,
        item.vcpu,
        memory_mib,
        item.gpu_count,
        item.efa_interfaces,
        item.nvme_gb,
        item.max_pods,
        item.usd_per_hour,
        sold,
        labels,
    )


def _general_shape(item: GeneralInstanceType) -> Shape:
    memory_mib = item.memory_gib * 1024
    labels = _labels(item.name, item.arch, item.vcpu, memory_mib, item.network_mbps)
    sold = frozenset({"reserved", "on-demand", "spot"})
    return Shape(item.name, item.arch, item.vcpu, memory_mib, 0, 0, 0, item.pods, item.usd_per_hour, sold, labels)


def _labels(name: str, arch: str, vcpu: int, memory_mib: int, network_mbps: int) -> dict[str, str]:
    family, size = name.split(".", 1)
    labels = {
        "node.kubernetes.io/instance-type": name,
        "kubernetes.io/arch": arch,
        "kubernetes.io/os": "linux",
        f"{_PREFIX}family": family,
        f"{_PREFIX}size": size,
        f"{_PREFIX}cpu": str(vcpu),
        f"{_PREFIX}memory": str(memory_mib),
        f"{_PREFIX}capability-flex": str("-flex" in family).lower(),
    }
    if parts := _CATEGORY.match(name):
        labels |= {f"{_PREFIX}category": parts[1], f"{_PREFIX}generation": parts[3]}
    if network_mbps:
        labels[f"{_PREFIX}network-bandwidth"] = str(network_mbps)
    return labels
