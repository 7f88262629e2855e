"""A pool of GPU nodes that Karpenter starts and removes."""

from typing import NotRequired, TypedDict

import pulumi

from components.nodes.gpu_node_pool_spec import node_class_spec, node_pool_spec
from components.nodes.karpenter_pool import karpenter_pool
from components.nodes.node_drain import NodeDrainArgs


class TaintArgs(TypedDict):
    """One taint of the pool's nodes."""

    key: str
    """Taint key."""
    value: NotRequired[str]
    """Taint value, empty by default."""
    effect: str
    """NoSchedule, PreferNoSchedule or NoExecute."""


class DisruptionBudgetArgs(TypedDict):
    """How many nodes may be disrupted at once."""

    nodes: str
    """A number or a percentage."""
    reasons: NotRequired[list[str]]
    """Underutilized, Empty, Drifted; none means all."""
    schedule: NotRequired[str]
    """Cron expression in UTC; needs duration."""
    duration: NotRequired[str]
    """Karpenter duration, such as 12h; needs schedule."""


class NetworkInterfaceArgs(TypedDict):
    """One network interface of the pool's nodes."""

    card: int
    """Index of the network card."""
    device: int
    """Index of the interface on that card."""
    kind: str
    """interface or efa-only."""


class GpuNodePoolArgs(TypedDict):
    """What a pool may start and how it is replaced. Lists and numbers are plain: they decide the objects' shape."""

    cluster_name: pulumi.Input[str]
    """Name of the cluster; selects subnets and security groups by the tag karpenter.sh/discovery."""
    node_role: pulumi.Input[str]
    """Name of the IAM role of the nodes."""
    purpose: str
    """inference or training; training nodes are tainted with it."""
    gpu: NotRequired[str]
    """Any instance type with this GPU, by Karpenter's name; or give instance_types."""
    instance_types: NotRequired[list[str]]
    """Exactly these EC2 instance types; or give gpu."""
    architectures: list[str]
    """Values of kubernetes.io/arch the machines have: amd64, arm64."""
    capacity_types: list[str]
    """reserved, on-demand, spot."""
    reservations: NotRequired[list[str]]
    """Ids of EC2 capacity reservations that reserved draws on."""
    zones: NotRequired[list[str]]
    """Zone ids the pool is confined to; none means wherever the cluster has subnets."""
    weight: NotRequired[int]
    """1 to 100; pools with a higher weight are tried first."""
    labels: NotRequired[dict[str, str]]
    """Labels on the nodes, beyond the platform's own."""
    taints: NotRequired[list[TaintArgs]]
    """Taints on the nodes, beyond nvidia.com/gpu and the purpose."""
    startup_taints: NotRequired[list[TaintArgs]]
    """Taints that something on the node lifts before it takes pods, such as gpu-platform/partitioning. Default: none.
    """
    gpu_limit: int
    """Most GPUs at once."""
    device_limits: NotRequired[dict[str, int]]
    """Most devices at once by resource, where GPUs are divided; they take the place of gpu_limit. Default: whole GPUs.
    """
    node_limit: int
    """Most nodes at once."""
    consolidation_policy: NotRequired[str]
    """Default: WhenEmptyOrUnderutilized for inference, WhenEmpty for training."""
    consolidate_after: str
    """How long a node must be unneeded before it may go, e.g. 15m."""
    budgets: NotRequired[list[DisruptionBudgetArgs]]
    """Default: one node in ten for inference; for training only empty nodes."""
    expire_after: str
    """Age at which a node is replaced, or Never."""
    termination_grace_period: str
    """Longest drain of a node."""
    ami_alias: str
    """AMI alias with its release, e.g. al2023@v20260714; Karpenter picks the NVIDIA variant."""
    root_volume_gib: int
    """Root volume in GiB."""
    local_nvme: bool
    """Whether every machine has NVMe, which then holds images and pods' scratch space as one RAID 0."""
    key_arn: NotRequired[pulumi.Input[str]]
    """KMS key of the root volume. Default: the account's default key for EBS; the volume is encrypted either way."""
    max_pods: NotRequired[int]
    """Pods on a node. Default: what Karpenter computes from the interfaces without prefixes (p5.48xlarge: 100)."""
    topology_manager: NotRequired[str]
    """best-effort, restricted or single-numa-node: kubelet aligns GPUs, network cards and whole cores of a pod by NUMA
    node. The last two refuse a pod that does not fit: a pod with all eight GPUs needs both nodes of a p5. Default:
    off."""
    fast_image_pull: NotRequired[bool]
    """Pull and unpack image layers in parallel; AL2023 only, machines of 2xlarge or larger. Default: False."""
    network_interfaces: NotRequired[list[NetworkInterfaceArgs]]
    """Every interface of the nodes, the first on card 0, device 0, of kind interface; for EFA, as many as the machines
    have, alike on all of them. Karpenter leaves out machines with fewer cards. Default: one interface."""
    placement_group: NotRequired[str]
    """Name of an EC2 placement group for the nodes. Default: none."""
    static_nodes: NotRequired[int]
    """Keep exactly this many nodes, whatever pods ask. Needs Karpenter's gate StaticCapacity and cannot be set or
    removed on a living pool; gpu_limit, weight and consolidation then mean nothing. Default: nodes as pods need."""
    capacity_block: NotRequired[bool]
    """Whether the reservations are Capacity Blocks for ML; nothing is started outside them then. Default: False."""
    drain: NotRequired[NodeDrainArgs]
    """How the pool is emptied before it goes. Default: not by this program; what is left blocks the VPC."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on instances and volumes."""


class GpuNodePool(pulumi.ComponentResource):
    """A Karpenter NodePool with an EC2NodeClass of its own, tainted so that only GPU workloads land there."""

    pool_name: pulumi.Output[str]
    """Name of the NodePool, for affinity on karpenter.sh/nodepool."""

    def __init__(self, name: str, args: GpuNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:GpuNodePool", name, {}, opts)
        self.pool_name = karpenter_pool(
            self, name, node_class_spec(args), node_pool_spec(name, args), args.get("drain")
        )
        self.register_outputs({"poolName": self.pool_name})
