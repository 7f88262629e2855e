"""How the GPUs of a pool are divided: cut by MIG, or shared by time slicing or MPS; and the operator that does it.

Everything is off where nothing is said: a pool without `partition` has whole GPUs.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictInt, model_validator

from infra.catalog.mig import MigGpu
from infra.planning.mig import MigLayout, Strategy, layouts_of
from infra.settings.values import DnsLabel, Flag, Positive, Settings, invalid

# Names that belong to the catalogue's layouts, one for each profile, and to mig-parted's own.
BUILT_IN_PREFIX = "all-"


def _check_layout_name(text: str) -> str:
    if text.startswith(BUILT_IN_PREFIX):
        raise invalid(
            f"a name that does not start with {BUILT_IN_PREFIX}, as the layouts of one profile do",
            f'write "{text.removeprefix(BUILT_IN_PREFIX) or "my-layout"}"',
        )
    return text


LayoutName = Annotated[DnsLabel, AfterValidator(_check_layout_name)]
# MPS serves at most 48 clients of a GPU (NVIDIA MPS documentation, Volta and later); more turns than that help nobody.
Replicas = Annotated[StrictInt, Field(ge=2, le=48)]


class MigLayoutSettings(Settings):
    """A mixture of slices under a name of its own. Layouts of one profile need none: they are called all-<profile>."""

    name: LayoutName
    """Name, as pools give it; becomes the value of the node label nvidia.com/mig.config."""
    devices: dict[str, Positive] = Field(min_length=1)
    """How many slices of each profile one GPU has, such as {3g.40gb: 1, 2g.20gb: 2}."""


class ClaimSettings(Settings):
    """Devices of the pool by claim (Dynamic Resource Allocation) instead of by a number under `resources`."""

    namespaces: tuple[DnsLabel, ...] = Field(min_length=1)
    """Namespaces, there already, whose pods may use the pool's ResourceClaimTemplates."""


class Partition(Settings):
    """What one GPU of the pool's nodes becomes. At most one of mig, timeSlicing and mps."""

    mig: str | None = None
    """Layout every GPU is cut by: all-<profile>, all-balanced, or a name under migLayouts."""
    strategy: Strategy = "mixed"
    """mixed: each profile is a resource of its own, nvidia.com/mig-<profile>. single: a slice counts as nvidia.com/gpu,
    so that pods need not know; only for layouts of one profile."""
    time_slicing: Replicas | None = None
    """Pods that take turns on one GPU. They share all its memory and see each other's faults; not in production."""
    mps: Replicas | None = None
    """Pods that run on one GPU at once, each with its share of the memory; a fault of one ends all. Not in
    production."""
    dra: ClaimSettings | None = None
    """Devices by claim; only with staticNodes, because Karpenter starts no node for a claim."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name, value in (("mig", self.mig), ("timeSlicing", self.time_slicing), ("mps", self.mps))
                if value is not None]  # fmt: skip
        if len(ways) > 1:
            raise invalid(f"one of mig, timeSlicing and mps, not {' and '.join(ways)}", "remove all but one")
        if not ways and self.dra is None:
            raise invalid("one of mig, timeSlicing, mps and dra", "add one, or remove partition for whole GPUs")
        if self.strategy == "single" and self.mig is None:
            raise invalid("strategy only beside mig", "remove strategy")
        if self.dra and self.replicas > 1:
            raise invalid("dra beside mig or alone: a claim is for a device, not for a share", "remove one of the two")
        return self

    @property
    def replicas(self) -> int:
        """Pods that share one GPU; 1 where GPUs are whole or cut."""
        return self.time_slicing or self.mps or 1

    @property
    def sharing(self) -> str:
        """`timeSlicing` or `mps`, empty where GPUs are not shared."""
        return "timeSlicing" if self.time_slicing else "mps" if self.mps else ""

    @property
    def by_plugin(self) -> bool:
        """Whether the device plugin reports the pool's devices; with claims the DRA driver does."""
        return self.dra is None


class GpuOperatorSettings(Settings):
    """NVIDIA's GPU operator: device plugin, MIG manager, node features and GPU metrics. Driver and toolkit are in the
    machine image."""

    enabled: Flag = False
    """Whether it is installed. Pools with `partition` need it."""
    service_monitors: Flag = False
    """Whether the DCGM exporter gets a ServiceMonitor; needs the CRDs of the Prometheus operator."""


def layout_of(partition: Partition, gpu: MigGpu, own: Sequence[MigLayoutSettings]) -> MigLayout | None:
    """The layout that a pool's partition names, on its GPU; None when nobody knows the name."""
    named: Mapping[str, MigLayout] = {
        **{item.name: MigLayout(item.name, item.devices) for item in own},
        **layouts_of(gpu),
    }
    return named.get(partition.mig or "")
