"""The platform layer: what every workload needs in the cluster. Today: GPU node pools."""

from typing import Any

import pulumi

from components.nodes import GpuNodePool, GpuNodePoolArgs
from infra.conventions import karpenter_node_role
from infra.settings import NodePoolSettings, PlatformSettings


def deploy_platform(settings: PlatformSettings, provider: pulumi.ProviderResource) -> dict[str, GpuNodePool]:
    """Create the platform layer.

    Returns:
        The node pools by name.
    """
    options = pulumi.ResourceOptions(provider=provider)
    return {pool.name: GpuNodePool(pool.name, node_pool_args(pool, settings), options) for pool in settings.node_pools}


def node_pool_args(pool: NodePoolSettings, settings: PlatformSettings) -> GpuNodePoolArgs:
    """The component's arguments for one pool of the settings."""
    args: GpuNodePoolArgs = {
        "cluster_name": settings.cluster.name,
        "node_role": karpenter_node_role(settings.cluster.name),
        "purpose": pool.purpose,
        "architectures": sorted({machine.kubernetes_arch for machine in pool.candidates}),
        "capacity_types": list(pool.capacity_types),
        "reservations": list(pool.reservations),
        "zones": list(pool.zones or (settings.network.zones if settings.network else ())),
        "labels": dict(pool.labels),
        "taints": [{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in pool.taints],
        "gpu_limit": pool.limits.gpus,
        "node_limit": pool.limits.nodes,
        "consolidate_after": pool.disruption.consolidate_after,
        "budgets": [
            _without_none(budget.model_dump(exclude_defaults=True, mode="json")) for budget in pool.disruption.budgets
        ],
        "expire_after": pool.expire_after,
        "termination_grace_period": pool.termination_grace_period,
        "ami_alias": pool.ami_alias,
        "root_volume_gib": pool.root_volume_gib,
        "local_nvme": all(machine.nvme_gb for machine in pool.candidates),
        "tags": dict(settings.tags),
    }
    if pool.gpu:
        args["gpu"] = pool.gpu
    else:
        args["instance_types"] = list(pool.instance_types)
    if pool.weight:
        args["weight"] = pool.weight
    if pool.disruption.consolidation_policy:
        args["consolidation_policy"] = pool.disruption.consolidation_policy
    return args


def _without_none(data: dict[str, Any]) -> Any:  # a TypedDict built from settings of the same keys
    return {key: value for key, value in data.items() if value is not None}
