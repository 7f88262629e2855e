"""SR-IOV and shared RDMA on hybrid or bare-metal nodes."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release

from components.fabric.efa_fabric import ChartArgs
from components.fabric.sriov_fabric_spec import (
    API_VERSIONS,
    NIC_CLUSTER_POLICY,
    SRIOV_OPERATOR_CONFIG,
    macvlan_spec,
    network_kind,
    network_operator_values,
    network_spec,
    nic_cluster_policy_spec,
    node_policy_spec,
    operator_config_spec,
    sriov_operator_values,
)
from components.specs import Spec

SRIOV_NAMESPACE = "sriov-network-operator"
NETWORK_NAMESPACE = "network-operator"


class SriovNetworkArgs(TypedDict):
    """Cards divided into virtual functions, and the network that pods attach to through one."""

    name: str
    """Name of policy and network."""
    resource_name: str
    """What pods ask for, after openshift.io/."""
    physical_functions: list[str]
    """Interfaces of the physical functions on the nodes."""
    virtual_functions: int
    """Virtual functions of each."""
    vendor: str
    """PCI vendor, such as 15b3."""
    infiniband: bool
    """InfiniBand rather than Ethernet."""
    rdma: bool
    """Whether pods get the RDMA device too."""
    mtu: NotRequired[int]
    """Bytes. Default: the physical function's."""
    namespace: str
    """Namespace of the pods; the operator waits until it is there."""
    ip_pool: NotRequired[str]
    """Pool of NVIDIA's IPAM plugin. Default: no address."""


class RdmaSharedArgs(TypedDict):
    """RDMA devices that pods share."""

    name: str
    """Name of the network where there is one."""
    resource_name: str
    """What pods ask for, after rdma/."""
    interfaces: list[str]
    """Interfaces whose devices are shared."""
    pods_per_node: int
    """Pods of a node that may hold it at once."""
    vendor: str
    """PCI vendor, such as 15b3."""
    namespace: NotRequired[str]
    """Namespace of pods that get a macvlan interface. Default: none do."""
    ip_pool: NotRequired[str]
    """Pool of NVIDIA's IPAM plugin for these interfaces. Default: no address."""


class SriovFabricArgs(TypedDict):
    """The hybrid nodes and what is on them. Lists are plain: they decide how many objects there are."""

    node_selector: dict[str, str]
    """Labels of the nodes. Never of nodes in EC2: there are no physical functions on them."""
    sriov: list[SriovNetworkArgs]
    """Cards to divide."""
    rdma_shared: list[RdmaSharedArgs]
    """Cards to share."""
    sriov_operator: NotRequired[ChartArgs]
    """Chart of the SR-IOV network operator. Default: none, because it is there."""
    network_operator: NotRequired[ChartArgs]
    """Chart of NVIDIA's network operator. Default: none, because it is there."""
    image_version: str
    """Tag of NVIDIA's images, such as network-operator-v26.4.1."""
    node_feature_discovery: bool
    """Whether the network operator brings Node Feature Discovery."""


class SriovFabric(pulumi.ComponentResource):
    """Both operators, and what they are told: which cards to divide or share, and the networks pods attach to.

    Each operator lives until what it looks after is gone: its objects have finalizers, and a card stays divided when
    nobody takes it back.
    """

    def __init__(self, name: str, args: SriovFabricArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:SriovFabric", name, {}, opts)
        self._name, self._args = name, args
        policy = self._shared()
        if args["sriov"]:
            self._divided(policy)
        self.register_outputs({})

    def _shared(self) -> CustomResource:
        """Multus for every network, and the shared devices."""
        args = self._args
        needs = self._operator(
            NETWORK_NAMESPACE, args.get("network_operator"), network_operator_values(args["node_feature_discovery"])
        )
        with_ipam = any(item.get("ip_pool") for item in args["sriov"]) or any(
            item.get("ip_pool") for item in args["rdma_shared"]
        )
        spec = nic_cluster_policy_spec(args["rdma_shared"], args["node_selector"], args["image_version"], with_ipam)
        policy = self._object("nic-policy", "NicClusterPolicy", {"name": NIC_CLUSTER_POLICY}, spec, needs)
        for item in args["rdma_shared"]:
            if item.get("namespace"):
                metadata = {"name": item["name"]}
                self._object(item["name"], "MacvlanNetwork", metadata, macvlan_spec(item), [policy])
        return policy

    def _divided(self, policy: CustomResource) -> None:
        """The cards that are divided. Their networks are attached by Multus, which the NIC policy brings."""
        args = self._args
        needs = self._operator(SRIOV_NAMESPACE, args.get("sriov_operator"), sriov_operator_values())
        config = self._object(
            "sriov-config",
            "SriovOperatorConfig",
            {"name": SRIOV_OPERATOR_CONFIG, "namespace": SRIOV_NAMESPACE},
            operator_config_spec(args["node_selector"]),
            needs,
        )
        for item in args["sriov"]:
            metadata = {"name": item["name"], "namespace": SRIOV_NAMESPACE}
            spec = node_policy_spec(item, args["node_selector"])
            divided = self._object(f"{item['name']}-policy", "SriovNetworkNodePolicy", metadata, spec, [config])
            kind = network_kind(item)
            self._object(f"{item['name']}-network", kind, metadata, network_spec(item), [divided, policy])

    def _operator(self, namespace: str, chart: ChartArgs | None, values: Spec) -> list[pulumi.Resource]:
        """An operator in a namespace of its own; nothing where it is there already."""
        if chart is None:
            return []
        # Its daemons change the nodes' network cards.
        labels = {"app.kubernetes.io/part-of": "gpu-platform", "pod-security.kubernetes.io/enforce": "privileged"}
        home = Namespace(
            f"{self._name}-{namespace}-namespace",
            metadata={"name": namespace, "labels": labels},
            opts=pulumi.ResourceOptions(parent=self),
        )
        release = Release(
            f"{self._name}-{namespace}",
            name=namespace,
            chart=chart["chart"],
            version=chart["version"],
            repository_opts={"repo": chart["repository"]} if "repository" in chart else None,
            namespace=namespace,
            values=values,
            atomic=True,
            timeout=600,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[home]),
        )
        return [release]

    def _object(
        self, suffix: str, kind: str, metadata: dict[str, str], spec: Spec, needs: list[pulumi.Resource]
    ) -> CustomResource:
        return CustomResource(
            f"{self._name}-{suffix}",
            api_version=API_VERSIONS[kind],
            kind=kind,
            metadata=metadata,
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )
