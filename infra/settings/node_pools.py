"""GPU node pools: which machines Karpenter may start, how they are bought and how they are replaced."""

from typing import Literal, Self

from pydantic import Field, model_validator

from infra.catalog.instances import GpuInstanceType, gpu_instance_types, instance_types_with
from infra.catalog.mig import MigGpu, mig_gpu_of
from infra.settings.fabric import PoolFabric
from infra.settings.partitioning import Partition
from infra.settings.values import (
    AmiAlias,
    Duration,
    DurationOrNever,
    Flag,
    GpuName,
    InstanceType,
    LabelKey,
    LabelValue,
    ObjectName,
    OwnLabels,
    Positive,
    ReservationId,
    Settings,
    Weight,
    ZoneId,
    invalid,
)
from infra.versions import EKS_AMI_ALIAS

Purpose = Literal["inference", "training"]
CapacityType = Literal["reserved", "on-demand", "spot"]
ConsolidationPolicy = Literal["WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"]


class Taint(Settings):
    """A taint beyond those that every GPU pool has."""

    key: LabelKey
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Limits(Settings):
    """How much a pool may start. Every GPU pool must say."""

    gpus: Positive
    """Most GPUs the pool may hold at once."""
    nodes: Positive
    """Most nodes the pool may hold at once."""


class DisruptionBudget(Settings):
    """How many nodes may be disrupted at once. Expiry, interruption and repair are not bound by it (Karpenter)."""

    nodes: str = Field(pattern=r"^([0-9]+|[0-9]{1,2}%|100%)$")
    """A number of nodes or a percentage, quoted."""
    reasons: tuple[Literal["Underutilized", "Empty", "Drifted"], ...] = ()
    """Reasons it holds for; none means all."""
    schedule: str | None = None
    """Cron expression in UTC from which it holds; needs `duration`."""
    duration: Duration | None = None
    """How long it holds from each start of `schedule`."""

    @model_validator(mode="after")
    def _schedule_with_duration(self) -> Self:
        if (self.schedule is None) != (self.duration is None):
            raise invalid("schedule and duration together, or neither", "add the missing one of the two")
        return self


class Disruption(Settings):
    """When Karpenter may replace or remove nodes of its own accord. What is not given follows from the purpose."""

    consolidation_policy: ConsolidationPolicy | None = None
    """Default: WhenEmptyOrUnderutilized for inference, WhenEmpty for training (AWS best practices guide)."""
    consolidate_after: DurationOrNever = "15m"
    """How long a node must be unneeded first. A GPU node takes minutes to come back."""
    budgets: tuple[DisruptionBudget, ...] = ()
    """Default: one node in ten for inference; for training only empty nodes."""


class Reservation(Settings):
    """An EC2 capacity reservation that a pool draws on."""

    id: ReservationId
    """Its id."""
    zone: ZoneId
    """Zone id it is in."""
    capacity_block: Flag = False
    """Whether it is a Capacity Block for ML, which ends at a set time: EC2 takes the nodes 30 minutes before."""


class NodePoolSettings(Settings):
    """One Karpenter NodePool with its EC2NodeClass."""

    name: ObjectName
    """Name of the NodePool and the EC2NodeClass."""
    purpose: Purpose
    """inference: serving. training: jobs; tainted so that nothing else lands there."""
    gpu: GpuName | None = None
    """Any instance type with this GPU, by Karpenter's name (l4, l40s, h100); or give `instanceTypes`."""
    instance_types: tuple[InstanceType, ...] = ()
    """Exactly these instance types; or give `gpu`."""
    capacity_types: tuple[CapacityType, ...] = Field(min_length=1)
    """How machines may be bought. Karpenter takes reserved before spot before on-demand within one pool."""
    reservations: tuple[Reservation, ...] = ()
    """EC2 capacity reservations that `reserved` draws on."""
    static_nodes: Positive | None = None
    """Keep exactly this many nodes, whatever pods ask (Karpenter's static capacity); then weight has no meaning."""
    placement_group: str | None = None
    """Name of a cluster placement group for the nodes, which then stand in one zone. One under
    `fabric.placementGroups` is created, any other must be there."""
    fabric: PoolFabric = "none"
    """How pods of different nodes talk. none: the pod network. efa: RDMA over every EFA interface of the machine, in
    one zone. host-network: training pods share the network of their node; for launchers that demand it."""
    topology_manager: Literal["best-effort", "restricted", "single-numa-node"] | None = None
    """kubelet's topology manager: GPU, CPU and network card of a pod on the same NUMA node."""
    max_pods: Positive | None = None
    """Pods on a node; give it with prefix delegation, which Karpenter's own arithmetic does not know."""
    zones: tuple[ZoneId, ...] = ()
    """Zone ids the pool is confined to; none means every zone of the network."""
    weight: Weight | None = None
    """Pools with a higher weight are tried first."""
    labels: OwnLabels = {}
    """Labels on the nodes, beyond those the platform sets."""
    taints: tuple[Taint, ...] = ()
    """Taints on the nodes, beyond nvidia.com/gpu and the purpose."""
    partition: Partition | None = None
    """How each GPU is divided: by MIG, time slicing or MPS. Default: whole GPUs."""
    limits: Limits
    """How much the pool may start."""
    disruption: Disruption = Disruption()
    """When nodes may be replaced."""
    expire_after: DurationOrNever = "336h"
    """Age at which a node is replaced. Default: two weeks, so that AMI fixes arrive."""
    termination_grace_period: Duration = "1h"
    """Longest drain of a node; no pod may need more."""
    ami_alias: AmiAlias = EKS_AMI_ALIAS
    """AMI alias with its release pinned."""
    parallel_image_pull: Flag | None = None
    """Pull and unpack image layers in parallel. Default: where every machine is a 2xlarge or larger, as AWS advises."""
    root_volume_gib: Positive = 500
    """Root volume in GiB. Karpenter's 20 GiB is too small for GPU images; used for pods where there is no NVMe."""

    @model_validator(mode="after")
    def _one_way_to_choose_machines(self) -> Self:
        if bool(self.gpu) == bool(self.instance_types):
            raise invalid("exactly one of gpu and instanceTypes", "give one of the two and remove the other")
        if self.reservations and "reserved" not in self.capacity_types:
            raise invalid(
                "reservations only where capacityTypes has reserved", "add reserved to capacityTypes or drop them"
            )
        if "reserved" in self.capacity_types and not self.reservations:
            raise invalid("at least one entry under reservations where capacityTypes has reserved", "add reservations")
        if self.static_nodes and self.weight:
            raise invalid(
                "weight only where staticNodes is not given (Karpenter refuses both)", "remove one of the two"
            )
        if len({reservation.capacity_block for reservation in self.reservations}) > 1:
            raise invalid("reservations all of one kind, capacity blocks or not", "make a pool of each kind")
        return self

    @property
    def candidates(self) -> tuple[GpuInstanceType, ...]:
        """The instance types the pool may start, from the catalogue."""
        if self.gpu:
            return instance_types_with(self.gpu)
        return tuple(gpu_instance_types()[name] for name in self.instance_types)

    @property
    def pulls_in_parallel(self) -> bool:
        """Whether image layers are pulled in parallel; a 2xlarge has 8 vCPUs."""
        if self.parallel_image_pull is not None:
            return self.parallel_image_pull
        return all(item.vcpu >= 8 for item in self.candidates)

    @property
    def needs_node_overlay(self) -> bool:
        """Whether Karpenter must be told of resources that EC2 does not list: the huge pages of EFA, devices of divided
        GPUs. A pool of fixed size needs no telling of devices: its nodes come whatever pods ask."""
        return self.fabric == "efa" or self.is_told_devices

    @property
    def is_told_devices(self) -> bool:
        """Whether Karpenter is told which devices its nodes will have: GPUs are divided, and nodes follow pods."""
        return bool(self.partition and self.partition.by_plugin and not self.static_nodes)

    @property
    def mig_gpu(self) -> MigGpu | None:
        """The GPU with MIG that all its machines have; None where one has another or none."""
        found = [mig_gpu_of(machine) for machine in self.candidates]
        return found[0] if len({gpu.name if gpu else "" for gpu in found}) == 1 else None

    @property
    def largest_gpu_count(self) -> int:
        """GPUs of its largest instance type."""
        return max(item.gpu_count for item in self.candidates)
