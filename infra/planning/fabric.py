"""What a training pod must ask for to use the fabric of its node, and what it must not set any more.

Sources: aws-ofi-nccl, doc/efa-env-var.md (2026-08); awsome-distributed-training, nccl-tests; Amazon EKS user guide,
training with EFA; all as read 2026-11-21.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from infra.catalog.fabric import HUGE_PAGES, HUGE_PAGES_MIB, EfaLayout, efa_layouts
from infra.catalog.instances import GpuInstanceType, gpu_instance_types
from infra.errors import PlatformError

# Huge pages of a pod that has its node to itself, as AWS's examples ask for; the rest stays with the driver.
POD_HUGE_PAGES_MIB = 5120

# Where the EFA installer puts NCCL's tuner, by architecture of the node.
_TUNER = "/opt/amazon/ofi-nccl/lib/{}-linux-gnu/libnccl-ofi-tuner.so"
_LIBRARY_ARCH = {"amd64": "x86_64", "arm64": "aarch64"}

# Sockets that lead nowhere: Docker's bridge, loopback, and the ends of pods' own links.
_SOCKETS = {"NCCL_SOCKET_IFNAME": "^docker,lo,veth", "NCCL_DEBUG": "INFO"}

# Families without peer access between GPUs over PCIe, where copies through shared memory go faster by the copy engine.
_COPY_ENGINE_FAMILIES = frozenset({"g5", "g6"})

# Variables that older guides set, and why they do harm or nothing (aws-ofi-nccl, doc/efa-env-var.md; the last one
# follows from how EFA is reached).
OBSOLETE_VARIABLES = {
    "FI_EFA_USE_DEVICE_RDMA": "libfabric 1.18 with aws-ofi-nccl 1.7 uses RDMA wherever the card has it",
    "FI_EFA_FORK_SAFE": "the OFI plugin has set it by itself since 1.2, on every kernel",
    "FI_EFA_ENABLE_SHM_TRANSFER": "the OFI plugin forbids CUDA calls in libfabric, which switches it off anyway",
    "RDMAV_FORK_SAFE": "a variable of rdma-core that breaks things on newer kernels; never set it",
    "NCCL_PROTO": "Simple was for aws-ofi-nccl 1.5 and older; it keeps NCCL from its faster protocols",
    "NCCL_IB_DISABLE": "EFA is reached through the OFI plugin; NCCL's InfiniBand transport has no part in it",
}


@dataclass(frozen=True, slots=True)
class PodShare:
    """What one pod gets of its node's fabric.

    Attributes:
        efa_interfaces: EFA interfaces.
        huge_pages_mib: huge pages of 2 MiB, in MiB.
        notes: what a person should know before it runs, with the numbers.
    """

    efa_interfaces: int
    huge_pages_mib: int
    notes: tuple[str, ...] = ()


def pod_share(
    instance_type: str, gpus: int, efa_interfaces: int | None = None, huge_pages_mib: int | None = None
) -> PodShare:
    """The share of a pod with `gpus` GPUs.

    Args:
        instance_type: EC2 instance type of its nodes.
        gpus: GPUs it asks for.
        efa_interfaces: default: as large a share of them as of the GPUs.
        huge_pages_mib: default: 5120, or an equal share where several such pods fit a node.

    Raises:
        PlatformError: for a type without EFA, and for more than the node has; with both numbers.
    """
    machine, layout = _with_efa(instance_type)
    if not 1 <= gpus <= machine.gpu_count:
        raise PlatformError(
            f"a pod asks for {gpus} GPUs, and a {instance_type} has {machine.gpu_count}",
            f"ask for 1 to {machine.gpu_count}",
        )
    interfaces = _interfaces(machine, layout, gpus, efa_interfaces)
    neighbours = min(machine.gpu_count // gpus, layout.efa_interfaces // interfaces)
    pages = _huge_pages(instance_type, neighbours, huge_pages_mib)
    notes = []
    if pages * neighbours > HUGE_PAGES_MIB:
        notes.append(
            f"{neighbours} such pods fit the GPUs of a {instance_type}, but only {HUGE_PAGES_MIB // pages} its huge"
            f" pages: {pages} MiB each of {HUGE_PAGES_MIB} MiB"
        )
    if gpus < machine.gpu_count:
        notes.append(
            f"{gpus} of {machine.gpu_count} GPUs of a {instance_type}: whether they are near their EFA interfaces is up"
            " to the device plugins; a whole node is the sure way"
        )
    return PodShare(interfaces, pages, tuple(notes))


def nccl_environment(instance_type: str, efa: bool = True) -> dict[str, str]:
    """NCCL's and libfabric's variables, as they are today.

    Args:
        instance_type: EC2 instance type of the nodes.
        efa: whether the pod has EFA interfaces; without, NCCL talks over sockets.
    """
    machine = _machine(instance_type)
    variables = dict(_SOCKETS)
    if efa:
        variables |= {
            "FI_PROVIDER": "efa",
            # A data loader that forks would need the huge pages a second time: ENOMEM.
            "FI_EFA_USE_HUGE_PAGE": "0",
            "NCCL_TUNER_PLUGIN": _TUNER.format(_LIBRARY_ARCH[machine.kubernetes_arch]),
        }
    if machine.family in _COPY_ENGINE_FAMILIES:
        variables["NCCL_SHM_USE_CUDA_MEMCPY"] = "1"
    return variables


def obsolete_variables(names: Iterable[str]) -> dict[str, str]:
    """Those of `names` that must go, each with the reason."""
    return {name: OBSOLETE_VARIABLES[name] for name in names if name in OBSOLETE_VARIABLES}


def _machine(instance_type: str) -> GpuInstanceType:
    if instance_type not in gpu_instance_types():
        raise PlatformError(f"the catalogue has no GPU instance type {instance_type}", "name one that it has")
    return gpu_instance_types()[instance_type]


def _with_efa(instance_type: str) -> tuple[GpuInstanceType, EfaLayout]:
    machine, layout = _machine(instance_type), efa_layouts().get(instance_type)
    if layout is None:
        raise PlatformError(
            f"{instance_type} has 0 EFA interfaces", "use a type with EFA, or the pod network (fabric: none)"
        )
    return machine, layout


def _interfaces(machine: GpuInstanceType, layout: EfaLayout, gpus: int, asked: int | None) -> int:
    has = layout.efa_interfaces
    if asked is None:
        share = has * gpus // machine.gpu_count
        if share == 0:
            raise PlatformError(
                f"{gpus} of {machine.gpu_count} GPUs of a {machine.name} come to {has * gpus / machine.gpu_count:g} of"
                f" its {has} EFA interface{'s' if has > 1 else ''}, which pods cannot share",
                f"ask for {-(-machine.gpu_count // has)} GPUs, or for one interface explicitly",
            )
        return share
    if not 1 <= asked <= has:
        raise PlatformError(
            f"a pod asks for {asked} EFA interfaces, and a {machine.name} has {has}", f"ask for 1 to {has}"
        )
    return asked


def _huge_pages(instance_type: str, neighbours: int, asked: int | None) -> int:
    if asked is None:
        return min(POD_HUGE_PAGES_MIB, HUGE_PAGES_MIB // neighbours // 2 * 2)
    if asked % 2 or not 2 <= asked <= HUGE_PAGES_MIB:
        raise PlatformError(
            f"a pod asks for {asked} MiB of huge pages, and the EFA driver sets aside {HUGE_PAGES_MIB} MiB on a"
            f" {instance_type} ({HUGE_PAGES} pages of 2 MiB)",
            f"ask for an even number of MiB up to {HUGE_PAGES_MIB}; AWS's examples ask for {POD_HUGE_PAGES_MIB}",
        )
    return asked
