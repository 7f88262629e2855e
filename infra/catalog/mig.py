"""MIG: into which slices each GPU can be cut, and where on the GPU a slice may start.

A GPU's memory is a row of units. A slice takes a run of them that starts at one of a few places, and these places are
all that decides which slices stand beside each other: two 3g.40gb fill an H100 although one of its seven compute slices
is still free. Sources are in `data/SOURCES.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from infra.catalog.instances import GpuInstanceType
from infra.catalog.tables import read_table

# What a slice has of the GPU's video and image engines: its share; none; the ones that only a single slice can have
# (`+me`); or all of them, so that every other slice must be without (`+me.all`).
Media = Literal["shared", "none", "one", "all"]
_MEDIA: Mapping[str, Media] = MappingProxyType({"shared": "shared", "none": "none", "one": "one", "all": "all"})


@dataclass(frozen=True, slots=True)
class MigProfile:
    """One kind of slice of one GPU.

    Attributes:
        name: NVIDIA's name, such as `1g.10gb` or `1g.10gb+me`.
        compute_slices: of the GPU's `compute_slices`.
        memory_units: of the GPU's `memory_units`, one after the other.
        starts: units at which it may start.
        max_count: most of them on one GPU.
        memory_gib: memory of one in GiB; less than its name says, which rounds up and counts in GB.
        media: what it has of the media engines.
        memory_is_estimated: whether `memory_gib` is worked out and not read off a GPU.
    """

    name: str
    compute_slices: int
    memory_units: int
    starts: tuple[int, ...]
    max_count: int
    memory_gib: float
    media: Media
    memory_is_estimated: bool

    @property
    def resource(self) -> str:
        """The extended resource of it under the strategy `mixed`, as the device plugin names it."""
        return f"nvidia.com/mig-{self.name.replace('+', '.')}"

    @property
    def layout_name(self) -> str:
        """Name of the layout of nothing but this profile, as mig-parted names it."""
        return f"all-{self.name.replace('+', '.')}"


@dataclass(frozen=True, slots=True)
class MigGpu:
    """A GPU with MIG.

    Attributes:
        name: our name: Karpenter's, and the memory in GB, because an A100 comes with 40 and with 80.
        karpenter_gpu: value of the label `karpenter.k8s.aws/instance-gpu-name`.
        gpu_memory_mib: its memory as EC2 states it, in MiB.
        product: its name for people.
        compute_slices, memory_units: what there is to divide.
        profiles: by name, in the order of the table.
    """

    name: str
    karpenter_gpu: str
    gpu_memory_mib: int
    product: str
    compute_slices: int
    memory_units: int
    profiles: Mapping[str, MigProfile]


@cache
def mig_gpus() -> Mapping[str, MigGpu]:
    """Every GPU with MIG that EC2 offers, by our name. GB200 is left out: its driver mode on EKS excludes MIG."""
    profiles: dict[str, dict[str, MigProfile]] = {}
    for row in read_table("mig_profiles"):
        profiles.setdefault(row["gpu"], {})[row["profile"]] = _profile(row)
    return MappingProxyType({row["gpu"]: _gpu(row, profiles[row["gpu"]]) for row in read_table("mig_gpus")})


def mig_gpu_of(machine: GpuInstanceType) -> MigGpu | None:
    """The GPU with MIG of an instance type; None when its GPU has none."""
    for gpu in mig_gpus().values():
        if (gpu.karpenter_gpu, gpu.gpu_memory_mib) == (machine.gpu, machine.gpu_memory_mib):
            return gpu
    return None


def gpus_with(profile: str) -> tuple[MigGpu, ...]:
    """The GPUs that have a profile of that name."""
    return tuple(gpu for gpu in mig_gpus().values() if profile in gpu.profiles)


def _gpu(row: dict[str, str], profiles: dict[str, MigProfile]) -> MigGpu:
    return MigGpu(
        name=row["gpu"],
        karpenter_gpu=row["karpenter_gpu"],
        gpu_memory_mib=int(row["gpu_memory_mib"]),
        product=row["product"],
        compute_slices=int(row["compute_slices"]),
        memory_units=int(row["memory_units"]),
        profiles=MappingProxyType(profiles),
    )


def _profile(row: dict[str, str]) -> MigProfile:
    return MigProfile(
        name=row["profile"],
        compute_slices=int(row["compute_slices"]),
        memory_units=int(row["memory_units"]),
        starts=tuple(int(start) for start in row["starts"].split(";")),
        max_count=int(row["max_count"]),
        memory_gib=float(row["memory_gib"]),
        media=_MEDIA[row["media"]],
        memory_is_estimated=row["memory_source"] == "estimate",
    )
