"""The fabric of the platform layer: EFA for pools in EC2, SR-IOV and shared RDMA for hybrid nodes. Off by default."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.catalog.fabric import efa_layouts
from infra.conventions import FABRIC_LABEL
from infra.settings import NodePoolSettings, PlatformSettings
from infra.settings.fabric import HybridFabricSettings, RdmaSharedSettings, SriovSettings
from infra.versions import (
    EFA_DEVICE_PLUGIN,
    EFA_DEVICE_PLUGIN_REPOSITORY,
    NETWORK_OPERATOR,
    NETWORK_OPERATOR_REPOSITORY,
    SRIOV_OPERATOR,
    SRIOV_OPERATOR_CHART,
)

if TYPE_CHECKING:
    from components.fabric.efa_fabric import ChartArgs, EfaFabric, EfaFabricArgs
    from components.fabric.sriov_fabric import RdmaSharedArgs, SriovFabric, SriovFabricArgs, SriovNetworkArgs
    from components.nodes.gpu_node_pool import GpuNodePoolArgs
    from stacks.platform_layer import Cluster


@dataclass(frozen=True, slots=True)
class Fabric:
    """What the settings asked for; None where they asked for nothing."""

    efa: "EfaFabric | None" = None
    hybrid: "SriovFabric | None" = None

    @property
    def resources(self) -> list[pulumi.Resource]:
        """All of it."""
        return [item for item in (self.efa, self.hybrid) if item]

    def needs_of(self, pool: NodePoolSettings) -> list[pulumi.Resource]:
        """What must be there before the pool's first node, and until its last is gone."""
        return self.efa.needs_of(pool.name, pool.placement_group) if self.efa else []


def deploy_fabric(cluster: "Cluster", needs: Sequence[pulumi.Resource]) -> Fabric:
    """Create what the settings ask for.

    Args:
        needs: what must be there before, such as Karpenter, whose CRDs it uses.
    """
    settings, efa, hybrid = cluster.settings, None, None
    if _efa_pools(settings) or settings.fabric.placement_groups:
        from components.fabric.efa_fabric import EfaFabric

        efa = EfaFabric("efa", _efa_args(settings), cluster.options(needs))
    if settings.fabric.hybrid:
        from components.fabric.sriov_fabric import SriovFabric

        hybrid = SriovFabric("hybrid", _sriov_args(settings, settings.fabric.hybrid), cluster.options())
    return Fabric(efa, hybrid)


def add_fabric(args: "GpuNodePoolArgs", pool: NodePoolSettings) -> None:
    """Give a pool's arguments what its fabric asks for; none asks for nothing."""
    if pool.fabric == "none":
        return
    args["labels"] = {**args.get("labels", {}), FABRIC_LABEL: pool.fabric}
    if pool.fabric == "efa":
        interfaces = efa_layouts()[pool.candidates[0].name].interfaces  # the settings see to it that all are alike
        args["network_interfaces"] = [
            {"card": item.card, "device": item.device, "kind": item.kind} for item in interfaces
        ]


def _efa_pools(settings: PlatformSettings) -> list[NodePoolSettings]:
    return [pool for pool in settings.node_pools if pool.fabric == "efa"]


def _efa_args(settings: PlatformSettings) -> "EfaFabricArgs":
    pools = _efa_pools(settings)
    args: EfaFabricArgs = {
        "pools": [pool.name for pool in pools],
        "taint_keys": sorted({taint.key for pool in pools for taint in pool.taints}),
    }
    if pools and settings.installs("aws-efa-k8s-device-plugin"):
        args["device_plugin"] = {
            "chart": "aws-efa-k8s-device-plugin",
            "repository": EFA_DEVICE_PLUGIN_REPOSITORY,
            "version": EFA_DEVICE_PLUGIN,
        }
    if settings.target != "local":
        args["placement_groups"] = list(settings.fabric.placement_groups)
        args["tags"] = dict(settings.tags)
    return args


def _sriov_args(settings: PlatformSettings, hybrid: HybridFabricSettings) -> "SriovFabricArgs":
    args: SriovFabricArgs = {
        "node_selector": dict(hybrid.node_selector),
        "sriov": [_network_args(item) for item in hybrid.sriov],
        "rdma_shared": [_shared_args(item) for item in hybrid.rdma_shared],
        "image_version": f"network-operator-v{NETWORK_OPERATOR}",
        "node_feature_discovery": hybrid.node_feature_discovery,
    }
    if settings.installs("sriov-network-operator"):
        args["sriov_operator"] = {"chart": SRIOV_OPERATOR_CHART, "version": SRIOV_OPERATOR}
    if settings.installs("network-operator"):
        chart: ChartArgs = {
            "chart": "network-operator",
            "repository": NETWORK_OPERATOR_REPOSITORY,
            "version": NETWORK_OPERATOR,
        }
        args["network_operator"] = chart
    return args


def _network_args(item: SriovSettings) -> "SriovNetworkArgs":
    args: SriovNetworkArgs = {
        "name": item.name,
        "resource_name": item.resource_name,
        "physical_functions": list(item.physical_functions),
        "virtual_functions": item.virtual_functions,
        "vendor": item.vendor,
        "infiniband": item.link == "infiniband",
        "rdma": item.rdma,
        "namespace": item.namespace,
    }
    if item.mtu:
        args["mtu"] = item.mtu
    if item.ip_pool:
        args["ip_pool"] = item.ip_pool
    return args


def _shared_args(item: RdmaSharedSettings) -> "RdmaSharedArgs":
    args: RdmaSharedArgs = {
        "name": item.name,
        "resource_name": item.resource_name,
        "interfaces": list(item.interfaces),
        "pods_per_node": item.pods_per_node,
        "vendor": item.vendor,
    }
    if item.namespace:
        args["namespace"] = item.namespace
    if item.ip_pool:
        args["ip_pool"] = item.ip_pool
    return args
