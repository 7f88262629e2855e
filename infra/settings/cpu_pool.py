"""CPU nodes for everything that needs no GPU."""

from typing import Literal

from pydantic import Field

from infra.settings.values import AmiAlias, Duration, DurationOrNever, ObjectName, Positive, Settings
from infra.versions import EKS_AMI_ALIAS


class CpuLimits(Settings):
    """How much the pool may start."""

    cpu: Positive
    """Most vCPUs at once."""
    memory_gib: Positive
    """Most memory at once, in GiB."""


class CpuPoolSettings(Settings):
    """One Karpenter NodePool of machines without GPU."""

    name: ObjectName = "cpu"
    """Name of the NodePool and the EC2NodeClass."""
    capacity_types: tuple[Literal["on-demand", "spot"], ...] = Field(default=("on-demand",), min_length=1)
    """How machines may be bought."""
    limits: CpuLimits
    """How much the pool may start."""
    consolidate_after: DurationOrNever = "5m"
    """How long a node must be unneeded before it may go."""
    expire_after: DurationOrNever = "336h"
    """Age at which a node is replaced. Default: two weeks, so that AMI fixes arrive."""
    termination_grace_period: Duration = "1h"
    """Longest drain of a node."""
    ami_alias: AmiAlias = EKS_AMI_ALIAS
    """AMI alias with its release pinned."""
