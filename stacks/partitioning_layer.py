"""Divided GPUs in the platform layer: NVIDIA's operator, the gate of nodes to be cut, what each pool's devices are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi

from infra.conventions import (
    CLAIMED_LABEL,
    MIG_CONFIG_LABEL,
    PARTITION_TAINT,
    PLUGIN_CONFIG_LABEL,
    PLUGIN_DEPLOY_LABEL,
    PURPOSE_LABEL,
)
from infra.settings import NodePoolSettings, PlatformSettings
from infra.settings.slices import devices_of, mig_of
from infra.versions import (
    DRA_DRIVER,
    DRA_DRIVER_CHART,
    GPU_OPERATOR,
    GPU_OPERATOR_REPOSITORY,
    KUBECTL_IMAGE,
)

if TYPE_CHECKING:  # imported where they are used: most environments divide no GPU, and the SDK is slow to import
    from components.partitioning.gpu_operator import GpuOperatorArgs
    from components.partitioning.gpu_partition import GpuPartitionArgs
    from stacks.platform_layer import Cluster

_STARTUP_TAINT = {"key": PARTITION_TAINT, "effect": "NoSchedule"}


@dataclass(frozen=True, slots=True)
class Partitioning:
    """What divides GPUs in this stack.

    Attributes:
        made: all of it.
        operator: what every node with GPUs needs; its device plugin tells Kubernetes of them.
        needed: by pool, what else must be there before its first node.
    """

    made: tuple[pulumi.Resource, ...] = ()
    operator: tuple[pulumi.Resource, ...] = ()
    needed: Mapping[str, Sequence[pulumi.Resource]] = field(default_factory=dict)

    def of_pool(self, name: str) -> Sequence[pulumi.Resource]:
        """What must be there before the pool's first node."""
        return (*self.operator, *self.needed.get(name, ()))


def deploy_partitioning(cluster: "Cluster", needs: Sequence[pulumi.Resource]) -> Partitioning:
    """The operator, the gate where a pool is cut, and what is told; nothing where nobody asks for any of it.

    Args:
        needs: what must be there before NodeOverlays: Karpenter, whose kind they are.
    """
    settings = cluster.settings
    divided = [pool for pool in settings.node_pools if pool.partition]
    if not (settings.gpu_operator.enabled or divided):
        return Partitioning()
    from components.partitioning import GpuOperator, GpuPartition

    operator = GpuOperator("gpu-operator", _operator_args(settings), cluster.options())
    gate, driver = _gate(cluster, divided), _dra_driver(cluster, divided)
    needed: dict[str, list[pulumi.Resource]] = {}
    made: list[pulumi.Resource] = [operator, *gate, *driver]
    for pool in divided:
        needed[pool.name] = [*(gate if _is_cut(pool) else []), *(driver if _is_claimed(pool) else [])]
        args = _partition_args(pool, settings)
        if "overlays" in args or "claims" in args:
            told = GpuPartition(
                f"{pool.name}-partition", args, cluster.options(needs if "overlays" in args else driver)
            )
            made.append(told)
            needed[pool.name] += [told] if "overlays" in args else []
    return Partitioning(tuple(made), (operator,), needed)


def _gate(cluster: "Cluster", divided: Sequence[NodePoolSettings]) -> list[pulumi.Resource]:
    from components.partitioning import PartitionGate

    cut = [pool for pool in divided if _is_cut(pool)]
    if not cut:
        return []
    bears: Any = _tolerations(cut)
    return [PartitionGate("partition-gate", {"image": KUBECTL_IMAGE, "tolerations": bears}, cluster.options())]


def _dra_driver(cluster: "Cluster", divided: Sequence[NodePoolSettings]) -> list[pulumi.Resource]:
    from components.partitioning import DraDriver

    claimed = [pool for pool in divided if _is_claimed(pool)]
    if not claimed or cluster.settings.target == "local":
        return []
    bears: Any = [*_tolerations(claimed), {**_STARTUP_TAINT, "operator": "Exists"}]
    chart: Any = {"chart": DRA_DRIVER_CHART, "version": DRA_DRIVER}
    return [DraDriver("dra", {"driver": chart, "tolerations": bears}, cluster.options())]


def node_partition(pool: NodePoolSettings, settings: PlatformSettings, labels: Mapping[str, str]) -> Any:
    """What a divided pool's nodes have besides: a part of `GpuNodePoolArgs`. Empty for whole GPUs.

    Args:
        labels: those that the nodes have anyway.
    """
    if pool.partition is None:
        return {}
    labels = {**labels, PLUGIN_CONFIG_LABEL: plugin_configuration(pool)}
    found: dict[str, Any] = {}
    if pool.partition.mig:
        labels[MIG_CONFIG_LABEL] = pool.partition.mig
        found["startup_taints"] = [_STARTUP_TAINT]
    if pool.partition.dra:
        labels = {**labels, CLAIMED_LABEL: "true", PLUGIN_DEPLOY_LABEL: "false"}
    one = {key: count for key, count in devices_of(pool, settings.mig_layouts, 1).items() if count}
    return {**found, "labels": labels, "device_limits": {key: n * pool.limits.gpus for key, n in one.items()}}


def plugin_configuration(pool: NodePoolSettings) -> str:
    """Name of the device plugin's configuration for the pool's nodes: `mig-mixed`, `timeSlicing-4`, `mps-2`."""
    if pool.partition is None or not (pool.partition.mig or pool.partition.sharing):
        return "whole"
    if pool.partition.mig:
        return f"mig-{pool.partition.strategy}"
    return f"{pool.partition.sharing}-{pool.partition.replicas}"


def _operator_args(settings: PlatformSettings) -> "GpuOperatorArgs":
    divided = [pool for pool in settings.node_pools if pool.partition]
    found = {pool.name: mig_of(pool, settings.mig_layouts) for pool in divided}
    bears: Any = [*_tolerations(settings.node_pools), {**_STARTUP_TAINT, "operator": "Exists"}]
    args: GpuOperatorArgs = {
        "layouts": {cut[1].name: dict(cut[1].devices) for cut in found.values() if cut},
        "shares": sorted({plugin_configuration(pool) for pool in divided} - {"whole"}),
        "tolerations": bears,
        "service_monitors": settings.gpu_operator.service_monitors,
    }
    if settings.target != "local":  # the embedded environment has no GPU to divide; it shows what would be
        args["operator"] = {
            "chart": "gpu-operator",
            "repository": GPU_OPERATOR_REPOSITORY,
            "version": GPU_OPERATOR,
        }
    return args


def _partition_args(pool: NodePoolSettings, settings: PlatformSettings) -> "GpuPartitionArgs":
    args: GpuPartitionArgs = {"pool": pool.name}
    if pool.is_told_devices:
        counts = sorted({machine.gpu_count for machine in pool.candidates})
        args["overlays"] = [
            {
                "name": f"{count}-gpu",
                "instance_types": [machine.name for machine in pool.candidates if machine.gpu_count == count],
                "capacity": devices_of(pool, settings.mig_layouts, count),
            }
            for count in counts
        ]
    if pool.partition and pool.partition.dra:
        cut = mig_of(pool, settings.mig_layouts)
        args["claims"] = {
            "profiles": sorted(cut[1].devices) if cut else [],
            "namespaces": list(pool.partition.dra.namespaces),
        }
    return args


def _is_cut(pool: NodePoolSettings) -> bool:
    return bool(pool.partition and pool.partition.mig)


def _is_claimed(pool: NodePoolSettings) -> bool:
    return bool(pool.partition and pool.partition.dra)


def _tolerations(pools: Sequence[NodePoolSettings]) -> list[dict[str, str]]:
    """Taints of the pools' nodes beyond nvidia.com/gpu, without repetition."""
    found = [
        {"key": PURPOSE_LABEL, "operator": "Equal", "value": pool.purpose, "effect": "NoSchedule"}
        for pool in pools
        if pool.purpose != "inference"
    ]
    found += [
        {"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect}
        for pool in pools
        for taint in pool.taints
    ]
    return list({tuple(item.items()): item for item in found}.values())
