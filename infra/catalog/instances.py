"""GPU instance types of EC2: shape, fabric, price and quota codes, as EC2 and Karpenter name them."""

from dataclasses import dataclass
from datetime import date
from functools import cache

from infra.catalog.tables import read_table, texts


@dataclass(frozen=True, slots=True)
class GpuInstanceType:
    """One EC2 instance type with NVIDIA GPUs.

    Attributes:
        name: EC2 instance type, such as `p5.48xlarge`.
        family: the part before the dot.
        arch: `x86_64` or `arm64`.
        gpu: value of the label `karpenter.k8s.aws/instance-gpu-name`, such as `h100`.
        gpu_product: NVIDIA's product name.
        gpu_count: whole GPUs that Karpenter sees as `nvidia.com/gpu`; 0 for fractional types (g6f, gr6f).
        gpu_memory_mib: memory of one GPU in MiB; None where EC2 does not state it (GB200).
        vcpu: virtual CPUs.
        memory_gib: host memory in GiB.
        allocatable_memory_mib: node allocatable memory in MiB as Karpenter computes it; None where it lists none.
        nvme_gb: local NVMe in GB (not GiB), all disks.
        network_gbps: baseline network bandwidth in Gbit/s; 0 where the source gives none.
        network_cards: number of network cards.
        max_pods: pods on a node without prefix delegation; None where not known.
        efa_interfaces: EFA interfaces, 0 when the type has no EFA.
        mig_profiles: MIG profiles it can be cut into, empty when it has no MIG.
        usage_classes: how it can be bought: `on-demand`, `spot`, `capacity-block`.
        usd_per_hour: on-demand price in us-east-1 at `price_as_of`; None where the source has no price.
        on_demand_quota, spot_quota, capacity_block_quota: EC2 service quota codes, counted in vCPUs (capacity blocks:
            in instances); empty where not confirmed.
        eks_ami: EKS AMI types that carry a driver for it; `custom` when none does.
        notes: what is special about it.
    """

    name: str
    family: str
    arch: str
    gpu: str
    gpu_product: str
    gpu_count: int
    gpu_memory_mib: int | None
    vcpu: int
    memory_gib: float
    allocatable_memory_mib: int | None
    nvme_gb: int
    network_gbps: float
    network_cards: int
    max_pods: int | None
    efa_interfaces: int
    mig_profiles: tuple[str, ...]
    usage_classes: tuple[str, ...]
    usd_per_hour: float | None
    price_as_of: date | None
    on_demand_quota: str
    spot_quota: str
    capacity_block_quota: str
    eks_ami: tuple[str, ...]
    notes: str

    @property
    def kubernetes_arch(self) -> str:
        """The value of the node label `kubernetes.io/arch`."""
        return "amd64" if self.arch == "x86_64" else self.arch

    @property
    def is_fractional(self) -> bool:
        """Whether the type holds a slice of a GPU, which the scheduler does not see as `nvidia.com/gpu`."""
        return self.gpu_count == 0


@cache
def gpu_instance_types() -> dict[str, GpuInstanceType]:
    """Every GPU instance type of the catalogue, keyed by name, in the order of the table."""
    return {row["instance_type"]: _instance_type(row) for row in read_table("gpu_instances")}


@cache
def gpu_names() -> tuple[str, ...]:
    """Every GPU name of the catalogue, as Karpenter labels it, sorted. GB200 has no such label yet."""
    return tuple(sorted({instance.gpu for instance in gpu_instance_types().values() if instance.gpu}))


def instance_types_with(gpu: str) -> tuple[GpuInstanceType, ...]:
    """The instance types that carry whole GPUs of that name, fewest GPUs first.

    Args:
        gpu: a Karpenter GPU name, such as `l40s`.
    """
    found = [item for item in gpu_instance_types().values() if item.gpu == gpu and not item.is_fractional]
    return tuple(sorted(found, key=lambda item: (item.gpu_count, item.vcpu, item.name)))


def _instance_type(row: dict[str, str]) -> GpuInstanceType:
    return GpuInstanceType(
        name=row["instance_type"],
        family=row["family"],
        arch=row["arch"],
        gpu=row["gpu"],
        gpu_product=row["gpu_product"],
        gpu_count=int(row["gpu_count"]),
        gpu_memory_mib=int(row["gpu_memory_mib"]) if row["gpu_memory_mib"] else None,
        vcpu=int(row["vcpu"]),
        memory_gib=float(row["memory_gib"]),
        allocatable_memory_mib=int(row["allocatable_memory_mib"]) if row["allocatable_memory_mib"] else None,
        nvme_gb=int(float(row["nvme_gb"] or 0)),
        network_gbps=float(row["network_gbps"] or 0),
        network_cards=int(row["network_cards"] or 1),
        max_pods=int(row["max_pods"]) if row["max_pods"] else None,
        efa_interfaces=int(row["efa_interfaces"]),
        mig_profiles=texts(row["mig_profiles"]),
        usage_classes=texts(row["usage_classes"]),
        usd_per_hour=float(row["usd_per_hour"]) if row["usd_per_hour"] else None,
        price_as_of=date.fromisoformat(row["price_as_of"]) if row["price_as_of"] else None,
        on_demand_quota=row["on_demand_quota"],
        spot_quota=row["spot_quota"],
        capacity_block_quota=row["capacity_block_quota"],
        eks_ami=texts(row["eks_ami"]),
        notes=row["notes"],
    )
