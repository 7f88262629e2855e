"""The network between GPUs of different nodes: EFA on EC2 pools, and what hybrid or bare-metal nodes have instead."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from infra.settings.values import (
    DnsLabel,
    Flag,
    LabelKey,
    LabelValue,
    ObjectName,
    Positive,
    Settings,
    invalid,
    matching,
)

# Labels that only nodes in EC2 have, by their prefix; a selector with one would put SR-IOV onto an EC2 pool.
_EC2_LABELS = (
    "node.kubernetes.io/instance-type",
    "karpenter.sh/",
    "karpenter.k8s.aws/",
    "topology.k8s.aws/",
    "eks.amazonaws.com/nodegroup",
    "gpu-platform/",
)
# Label of EKS on every node, and its value on hybrid nodes. Source: Amazon EKS user guide, hybrid nodes.
COMPUTE_TYPE_LABEL, HYBRID = "eks.amazonaws.com/compute-type", "hybrid"

_WHY_NOT_SRIOV = (
    "EC2 divides its cards itself: what an instance sees are virtual functions already, and the SR-IOV operator finds"
    " no physical function to divide"
)


def _check_not_sriov(value: object) -> object:
    if str(value).lower().replace("-", "") in ("sriov", "rdma", "infiniband", "roce"):
        raise invalid(
            f"none, efa or host-network. {_WHY_NOT_SRIOV}",
            "write efa, which is RDMA on EC2; SR-IOV for hybrid or bare-metal nodes is under fabric.hybrid",
        )
    return value


PoolFabric = Annotated[Literal["none", "efa", "host-network"], BeforeValidator(_check_not_sriov)]


def _check_hybrid_label(text: str) -> str:
    if any(text == known or (known.endswith("/") and text.startswith(known)) for known in _EC2_LABELS):
        raise invalid(
            f"a label that only hybrid or bare-metal nodes have; this one is on nodes in EC2. {_WHY_NOT_SRIOV}",
            f"select by {COMPUTE_TYPE_LABEL}: {HYBRID} or a label of your own; for an EC2 pool write fabric: efa",
        )
    return text


def _check_hybrid_kind(labels: dict[str, str]) -> dict[str, str]:
    kind = labels.get(COMPUTE_TYPE_LABEL, HYBRID)
    if kind != HYBRID:
        raise invalid(
            f"{COMPUTE_TYPE_LABEL} with the value {HYBRID}, not {kind}. {_WHY_NOT_SRIOV}",
            f"write {HYBRID}; for an EC2 pool write fabric: efa in the pool",
        )
    return labels


HybridLabels = Annotated[
    dict[Annotated[LabelKey, AfterValidator(_check_hybrid_label)], LabelValue], AfterValidator(_check_hybrid_kind)
]
# IFNAMSIZ of Linux: 15 characters and the end.
Interface = Annotated[
    str, AfterValidator(matching(r"[A-Za-z0-9_.:-]{1,15}", "a Linux interface such as ens1f0, at most 15 characters"))
]
# The operator's own rule (sriov-network-operator v1.6.0, pkg/webhook/validate.go).
ResourceName = Annotated[
    str, AfterValidator(matching(r"[A-Za-z0-9_]{1,63}", "letters, digits and '_', such as roce_vf, at most 63"))
]
PciId = Annotated[str, AfterValidator(matching(r"[0-9a-f]{4}", "a PCI id of 4 hexadecimal digits, such as 15b3"))]
GroupName = Annotated[
    str, AfterValidator(matching(r"[A-Za-z0-9_.-]{1,255}", "letters, digits, '-', '_' and '.', at most 255"))
]

MELLANOX = "15b3"  # PCI vendor of ConnectX cards


class SriovSettings(Settings):
    """Physical functions divided into virtual ones, and the network that pods attach to through one."""

    name: ObjectName
    """Name of the policy and of the network that pods name in k8s.v1.cni.cncf.io/networks."""
    resource_name: ResourceName
    """What pods ask for, after the prefix openshift.io/."""
    physical_functions: tuple[Interface, ...] = Field(min_length=1)
    """Interfaces of the physical functions, as the nodes name them."""
    virtual_functions: Positive
    """Virtual functions of each physical one; how many a card can is set in its firmware."""
    vendor: PciId = MELLANOX
    """PCI vendor of the cards."""
    link: Literal["ethernet", "infiniband"] = "ethernet"
    """ethernet: RoCE. infiniband: its own kind of network."""
    mtu: Positive | None = None
    """Largest packet of the virtual functions in bytes; default: the physical function's."""
    rdma: Flag = True
    """Whether pods get the RDMA device with the interface."""
    namespace: DnsLabel
    """Namespace of the pods that attach to it."""
    ip_pool: ObjectName | None = None
    """Pool of addresses of NVIDIA's IPAM plugin, made by whoever runs that network; none: pods get no address."""


class RdmaSharedSettings(Settings):
    """RDMA devices that pods share, without dividing the card."""

    name: ObjectName
    """Name of the network where there is one."""
    resource_name: ResourceName
    """What pods ask for, after the prefix rdma/."""
    interfaces: tuple[Interface, ...] = Field(min_length=1)
    """Interfaces whose RDMA devices are shared."""
    pods_per_node: Positive = 63
    """Pods of a node that may hold it at once. Default: as in the operator's own example."""
    vendor: PciId = MELLANOX
    """PCI vendor of the cards."""
    namespace: DnsLabel | None = None
    """Namespace of the pods that get an interface of their own (macvlan); none: pods use the network of the host."""
    ip_pool: ObjectName | None = None
    """Pool of addresses of NVIDIA's IPAM plugin for these interfaces."""


class HybridFabricSettings(Settings):
    """SR-IOV and shared RDMA on nodes that are not in EC2: EKS Hybrid Nodes, or bare metal with an existing cluster."""

    node_selector: HybridLabels = Field(default={COMPUTE_TYPE_LABEL: HYBRID}, min_length=1)
    """Labels of those nodes; one that EC2 nodes have is refused."""
    node_feature_discovery: Flag = True
    """Install Node Feature Discovery, which finds the cards. false where another operator has brought it."""
    sriov: tuple[SriovSettings, ...] = ()
    """Cards to divide."""
    rdma_shared: tuple[RdmaSharedSettings, ...] = ()
    """Cards to share."""

    @model_validator(mode="after")
    def _something_to_do_on_hybrid_nodes(self) -> Self:
        if not self.sriov and not self.rdma_shared:
            raise invalid("at least one entry under sriov or rdmaShared", "add one, or remove hybrid")
        return self


class FabricSettings(Settings):
    """What pools share between them, and the fabric of nodes outside EC2. Off by default."""

    placement_groups: tuple[GroupName, ...] = ()
    """EC2 cluster placement groups to create; pools name them under placementGroup, also several the same one."""
    hybrid: HybridFabricSettings | None = None
    """SR-IOV and shared RDMA for hybrid or bare-metal nodes."""
