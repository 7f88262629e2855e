"""The platform layer: what every workload needs in the cluster: Karpenter, the load balancer controller, node pools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_kubernetes import Provider

from components.nodes import GpuNodePool, GpuNodePoolArgs
from components.nodes.node_drain import NodeDrainArgs
from infra.conventions import karpenter_node_role
from infra.errors import PlatformError
from infra.settings import NodePoolSettings, PlatformSettings
from infra.versions import (
    KARPENTER,
    KARPENTER_CHART,
    KARPENTER_CRD_CHART,
    LOAD_BALANCER_CONTROLLER,
    LOAD_BALANCER_CONTROLLER_REPOSITORY,
)
from stacks.fabric_layer import Fabric, add_fabric, deploy_fabric
from stacks.foundation import Foundation, aws_settings, reach_of
from stacks.gateway_layer import deploy_gateway_operators
from stacks.kserve_layer import deploy_kserve
from stacks.multi_node_layer import deploy_group_operator
from stacks.partitioning_layer import deploy_partitioning, node_partition
from stacks.server_place import deploy_priorities
from stacks.storage_layer import deploy_storage
from stacks.tenancy_layer import deploy_secret_operator


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster that the layers above the foundation work in.

    Attributes:
        kubernetes: explicit provider of everything in the cluster.
        aws: explicit provider of everything beside it; None where nothing in AWS is made.
    """

    settings: PlatformSettings
    foundation: Foundation
    kubernetes: Provider
    aws: pulumi.ProviderResource | None = None

    def options(self, needs: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Options of a component in this cluster that waits for the foundation and for `needs`."""
        providers = [provider for provider in (self.aws, self.kubernetes) if provider]
        return pulumi.ResourceOptions(providers=providers, depends_on=[*self.foundation.needs, *needs])

    @property
    def early(self) -> pulumi.ResourceOptions:
        """Options of a component that chooses for itself which part of it waits for nodes and add-ons."""
        providers = [provider for provider in (self.aws, self.kubernetes) if provider]
        return pulumi.ResourceOptions(providers=providers, depends_on=list(self.foundation.cluster))


@dataclass(frozen=True, slots=True)
class PlatformLayer:
    """What the platform layer made in this stack.

    Attributes:
        pools: GPU node pools by name.
        cpu_pool: the pool without GPUs.
        controllers: operators by their name in the settings.
        storage: volumes, storage classes and rights, by what they are of.
        priorities: PriorityClasses by name.
        fabric: what pools and hybrid nodes have beyond the pod network.
        partitions: what divides GPUs, and what is told of it.
        secrets: what brings secrets in from outside the cluster; only namespaces that have such a secret wait for it.
        kserve: KServe and what it stands on, by their names in the settings.
        gateway: the gateway's controllers and the namespace of its proxies.
        groups: what makes groups of pods; only servers over several nodes wait for it.
    """

    pools: Mapping[str, GpuNodePool] = field(default_factory=dict)
    cpu_pool: pulumi.Resource | None = None
    controllers: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    fabric: Fabric = field(default_factory=Fabric)
    partitions: Sequence[pulumi.Resource] = ()
    secrets: Sequence[pulumi.Resource] = ()
    storage: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    priorities: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    kserve: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    gateway: Sequence[pulumi.Resource] = ()
    groups: Sequence[pulumi.Resource] = ()

    @property
    def resources(self) -> list[pulumi.Resource]:
        """All of it."""
        cpu_pool = [self.cpu_pool] if self.cpu_pool else []
        beside = [*self.fabric.resources, *self.partitions, *self.storage.values(), *self.kserve.values(), *cpu_pool]
        beside += [*self.secrets, *self.priorities.values(), *self.gateway, *self.groups]
        return [*self.pools.values(), *self.controllers.values(), *beside]


def deploy_platform(cluster: Cluster) -> PlatformLayer:
    """Create the platform layer."""
    settings = cluster.settings
    controllers = _controllers(cluster)
    needs = [controllers["karpenter"]] if "karpenter" in controllers else []
    fabric = deploy_fabric(cluster, needs)
    partitions = deploy_partitioning(cluster, needs)
    kserve = deploy_kserve(cluster)
    return PlatformLayer(
        pools={
            pool.name: GpuNodePool(
                pool.name,
                node_pool_args(pool, cluster),
                cluster.options([*needs, *fabric.needs_of(pool), *partitions.of_pool(pool.name)]),
            )
            for pool in settings.node_pools
        },
        cpu_pool=_cpu_pool(cluster, needs),
        controllers=controllers,
        fabric=fabric,
        partitions=partitions.made,
        secrets=deploy_secret_operator(cluster),
        storage=deploy_storage(cluster),
        priorities=deploy_priorities(cluster),
        kserve=kserve,
        gateway=deploy_gateway_operators(cluster, kserve),
        groups=deploy_group_operator(cluster),
    )


def _controllers(cluster: Cluster) -> dict[str, pulumi.Resource]:
    """Controllers that are missing in the cluster; what they control waits for them and goes first."""
    settings = cluster.settings
    makers = {"karpenter": _karpenter, "aws-load-balancer-controller": _load_balancer_controller}
    return {name: make(cluster) for name, make in makers.items() if settings.installs(name)}


def _karpenter(cluster: Cluster) -> pulumi.Resource:
    # Imported here, so that an environment without AWS does not pay for the AWS SDK.
    from components.nodes.karpenter_controller import KarpenterController

    settings, place = cluster.settings, aws_settings(cluster.settings)
    return KarpenterController(
        "karpenter",
        {
            "partition": place.partition,
            "region": place.region,
            "account_id": place.account_id,
            "cluster_name": settings.cluster.name,
            "node_role_name": karpenter_node_role(settings.cluster.name),
            "chart": KARPENTER_CHART,
            "crd_chart": KARPENTER_CRD_CHART,
            "version": KARPENTER,
            "feature_gates": {
                "reservedCapacity": True,
                "staticCapacity": any(pool.static_nodes for pool in settings.node_pools),
                # Alpha in 1.14: on only where a pool has resources that EC2 does not list.
                **({"nodeOverlay": True} if any(pool.needs_node_overlay for pool in settings.node_pools) else {}),
            },
            "zonal_shift": True,  # as the cluster's
            "tags": dict(settings.tags),
        },
        cluster.early,
        needs=cluster.foundation.needs,
    )


def _load_balancer_controller(cluster: Cluster) -> pulumi.Resource:
    from components.network.load_balancer_controller import LoadBalancerController, LoadBalancerControllerArgs

    settings, place = cluster.settings, aws_settings(cluster.settings)
    if settings.network and settings.network.existing:
        vpc_id: pulumi.Input[str] | None = settings.network.existing.vpc_id
    else:
        vpc_id = cluster.foundation.vpc_id
    if vpc_id is None:
        raise PlatformError(
            "the load balancer controller needs the VPC, and a cluster that is there already does not say it",
            "give network.existing, or name aws-load-balancer-controller under cluster.installed",
        )
    args: LoadBalancerControllerArgs = {
        "partition": place.partition,
        "region": place.region,
        "account_id": place.account_id,
        "cluster_name": settings.cluster.name,
        "vpc_id": vpc_id,
        "chart": "aws-load-balancer-controller",
        "repository": LOAD_BALANCER_CONTROLLER_REPOSITORY,
        "version": LOAD_BALANCER_CONTROLLER,
        "tags": dict(settings.tags),
    }
    return LoadBalancerController("load-balancer-controller", args, cluster.options())


def _cpu_pool(cluster: Cluster, needs: Sequence[pulumi.Resource]) -> pulumi.Resource | None:
    from components.nodes.cpu_node_pool import CpuNodePool, CpuNodePoolArgs

    settings, pool = cluster.settings, cluster.settings.cpu_pool
    if pool is None:
        return None
    args: CpuNodePoolArgs = {
        "cluster_name": settings.cluster.name,
        "node_role": karpenter_node_role(settings.cluster.name),
        "capacity_types": list(pool.capacity_types),
        "cpu_limit": pool.limits.cpu,
        "memory_limit_gib": pool.limits.memory_gib,
        "zones": list(settings.network.zones if settings.network else ()),
        "consolidate_after": pool.consolidate_after,
        "expire_after": pool.expire_after,
        "termination_grace_period": pool.termination_grace_period,
        "ami_alias": pool.ami_alias,
        "drain": _drain(cluster),
        "tags": dict(settings.tags),
    }
    if cluster.foundation.key_arn is not None:
        args["key_arn"] = cluster.foundation.key_arn
    return CpuNodePool(pool.name, args, cluster.options(needs))


def _drain(cluster: Cluster) -> NodeDrainArgs:
    return {
        "cluster": reach_of(cluster.settings, cluster.foundation),
        "patience_seconds": cluster.settings.destroy.drain_minutes * 60,
    }


def node_pool_args(pool: NodePoolSettings, cluster: Cluster) -> GpuNodePoolArgs:
    """The component's arguments for one pool of the settings."""
    settings = cluster.settings
    args: GpuNodePoolArgs = {
        "cluster_name": settings.cluster.name,
        "node_role": karpenter_node_role(settings.cluster.name),
        "purpose": pool.purpose,
        "architectures": sorted({machine.kubernetes_arch for machine in pool.candidates}),
        "capacity_types": list(pool.capacity_types),
        "reservations": [reservation.id for reservation in pool.reservations],
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
        "drain": _drain(cluster),
        "tags": dict(settings.tags),
    }
    if pool.gpu:
        args["gpu"] = pool.gpu
    else:
        args["instance_types"] = list(pool.instance_types)
    if pool.weight:
        args["weight"] = pool.weight
    args["fast_image_pull"] = pool.pulls_in_parallel
    args["capacity_block"] = any(reservation.capacity_block for reservation in pool.reservations)
    if cluster.foundation.key_arn is not None:
        args["key_arn"] = cluster.foundation.key_arn
    if pool.disruption.consolidation_policy:
        args["consolidation_policy"] = pool.disruption.consolidation_policy
    if pool.max_pods:
        args["max_pods"] = pool.max_pods
    if pool.topology_manager:
        args["topology_manager"] = pool.topology_manager
    if pool.placement_group:
        args["placement_group"] = pool.placement_group
    add_fabric(args, pool)
    args.update(node_partition(pool, settings, args.get("labels", {})))
    if pool.static_nodes:
        args["static_nodes"] = pool.static_nodes
    return args


def _without_none(data: dict[str, Any]) -> Any:  # a TypedDict built from settings of the same keys
    return {key: value for key, value in data.items() if value is not None}
