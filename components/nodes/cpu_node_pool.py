"""A pool of machines without GPU that Karpenter starts and removes."""

from typing import NotRequired, TypedDict

import pulumi

from components.nodes.cpu_node_pool_spec import cpu_node_class_spec, cpu_node_pool_spec
from components.nodes.gpu_node_pool import DisruptionBudgetArgs
from components.nodes.karpenter_pool import karpenter_pool
from components.nodes.node_drain import NodeDrainArgs


class CpuNodePoolArgs(TypedDict):
    """What the pool may start and how it is replaced. Lists and numbers are plain: they decide the objects' shape."""

    cluster_name: pulumi.Input[str]
    """Name of the cluster; selects subnets and security groups by the tag karpenter.sh/discovery."""
    node_role: pulumi.Input[str]
    """Name of the IAM role of the nodes."""
    capacity_types: list[str]
    """on-demand, spot."""
    architectures: NotRequired[list[str]]
    """Values of kubernetes.io/arch: amd64, arm64. Default: amd64, because not every image of an operator has both."""
    zones: NotRequired[list[str]]
    """Zone ids the pool is confined to; none means wherever the cluster has subnets."""
    labels: NotRequired[dict[str, str]]
    """Labels on the nodes, beyond gpu-platform/purpose=cpu."""
    cpu_limit: int
    """Most vCPUs at once."""
    memory_limit_gib: int
    """Most memory at once, in GiB."""
    consolidate_after: str
    """How long a node must be empty or underused before it may go, e.g. 5m."""
    budgets: NotRequired[list[DisruptionBudgetArgs]]
    """How many nodes may be disrupted at once. Default: one in ten."""
    expire_after: str
    """Age at which a node is replaced, or Never."""
    termination_grace_period: str
    """Longest drain of a node."""
    ami_alias: str
    """AMI alias with its release, e.g. al2023@v20260714; Karpenter picks the standard variant."""
    root_volume_gib: NotRequired[int]
    """Root volume in GiB. Default: 100."""
    key_arn: NotRequired[pulumi.Input[str]]
    """KMS key of the root volume. Default: the account's default key for EBS; the volume is encrypted either way."""
    drain: NotRequired[NodeDrainArgs]
    """How the pool is emptied before it goes. Default: not by this program; what is left blocks the VPC."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on instances and volumes."""


class CpuNodePool(pulumi.ComponentResource):
    """A Karpenter NodePool with an EC2NodeClass of its own, untainted: everything that needs no GPU lands there."""

    pool_name: pulumi.Output[str]
    """Name of the NodePool, for affinity on karpenter.sh/nodepool."""

    def __init__(self, name: str, args: CpuNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:CpuNodePool", name, {}, opts)
        self.pool_name = karpenter_pool(
            self, name, cpu_node_class_spec(args), cpu_node_pool_spec(name, args), args.get("drain")
        )
        self.register_outputs({"poolName": self.pool_name})
