"""The foundation layer on AWS: network, cluster, key and images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from components.cluster import GpuCluster, GpuClusterArgs, PlatformKey
from components.network import GpuNetwork
from components.registry import ImageRegistry
from infra.errors import PlatformError
from infra.settings import PlatformSettings
from infra.settings.cluster import ACCESS_POLICIES
from infra.settings.target import AwsSettings
from infra.versions import EKS_ADDONS
from stacks.foundation import Foundation, aws_settings, cluster_arn
from stacks.storage_foundation import StorageNetwork, deploy_storage

_CORE_ADDONS = ("vpc-cni", "eks-pod-identity-agent", "kube-proxy", "coredns")


@dataclass(frozen=True, slots=True)
class _Network:
    vpc_id: pulumi.Input[str]
    node_subnet_ids: pulumi.Input[list[str]]
    control_plane_subnet_ids: pulumi.Input[list[str]]
    node_security_group_id: pulumi.Input[str]
    made: tuple[pulumi.Resource, ...] = ()
    subnets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


def aws_provider(settings: AwsSettings) -> aws.Provider:
    """The explicit AWS provider: one region, and no account but the one in the settings."""
    return aws.Provider("aws", region=settings.region, allowed_account_ids=[settings.account_id])


def deploy_foundation(settings: PlatformSettings, provider: aws.Provider) -> Foundation:
    """Create the foundation layer of an environment with target eks."""
    place, cluster = aws_settings(settings), settings.cluster
    options = pulumi.ResourceOptions(providers=[provider])
    common: dict[str, Any] = {  # arguments that most components of the layer share
        "partition": place.partition,
        "region": place.region,
        "account_id": place.account_id,
        "cluster_name": cluster.name,
        "tags": dict(settings.tags),
    }
    # Stores of weights and checkpoints outlive the cluster, and cannot be read without their key.
    keeps = bool(settings.storage.weights or settings.storage.checkpoints)
    key = PlatformKey("platform", {**common, "protect": cluster.deletion_protection, "retain": keeps}, options)  # type: ignore[typeddict-item]
    network = _network(settings, common, key, options)
    made = GpuCluster(cluster.name, gpu_cluster_args(settings, common, network, key.key_arn), options)
    place_of_data = StorageNetwork(network.vpc_id, network.subnets, network.node_security_group_id)
    storage = deploy_storage(settings, place_of_data, key.key_arn, options)
    images = ImageRegistry("images", _registry_args(settings, key.key_arn), options)
    return Foundation(
        kubeconfig=made.kubeconfig,
        key_arn=key.key_arn,
        vpc_id=network.vpc_id,
        cluster=(made.control_plane,),
        needs=tuple(made.ready),
        storage_ids=storage.ids,
        buckets=storage.buckets,
        made=(key, made, images, *network.made, *storage.made),
        outputs={
            "clusterName": made.cluster_name,
            "clusterArn": cluster_arn(settings),
            "kubeconfig": made.kubeconfig,
            "keyArn": key.key_arn,
            "vpcId": network.vpc_id,
            "nodeSubnetIds": network.node_subnet_ids,
            "nodeSecurityGroupId": network.node_security_group_id,
            **storage.outputs,
        },
    )


def gpu_cluster_args(
    settings: PlatformSettings, common: dict[str, Any], network: _Network, key_arn: pulumi.Input[str]
) -> GpuClusterArgs:
    """The component's arguments for the cluster of the settings."""
    cluster = settings.cluster
    pinned = {name: EKS_ADDONS[name][cluster.kubernetes_version] for name in (*_CORE_ADDONS, *cluster.addons)}
    entries = {
        entry.name: {
            "principal_arn": entry.principal_arn,
            **({"policy": ACCESS_POLICIES[entry.access]} if entry.access else {}),
            "namespaces": list(entry.namespaces),
            **({"groups": list(entry.groups)} if entry.groups else {}),
        }
        for entry in cluster.access
    }
    args: Any = {
        **common,
        "kubernetes_version": cluster.kubernetes_version,
        "service_cidr": cluster.service_cidr,
        "vpc_id": network.vpc_id,
        "control_plane_subnet_ids": network.control_plane_subnet_ids,
        "node_subnet_ids": network.node_subnet_ids,
        "node_security_group_id": network.node_security_group_id,
        "key_arn": key_arn,
        "public_cidrs": list(cluster.public_cidrs),
        "access_entries": entries,
        "log_retention_days": cluster.log_retention_days,
        "deletion_protection": cluster.deletion_protection,
        "control_plane_tier": cluster.control_plane_tier,
        "system_instance_types": list(cluster.system_nodes.instance_types),
        "system_node_count": cluster.system_nodes.count,
        "addon_versions": {**pinned, **{name: cluster.addon_versions.get(name, pinned[name]) for name in pinned}},
    }
    checked: GpuClusterArgs = args
    return checked


def _network(
    settings: PlatformSettings, common: dict[str, Any], key: PlatformKey, options: pulumi.ResourceOptions
) -> _Network:
    """The VPC: made, or the one that is there."""
    wanted = settings.network
    if wanted is None:
        raise PlatformError("the settings have no network", "add the area network")
    if wanted.existing:
        there = wanted.existing
        return _Network(
            there.vpc_id,
            list(there.node_subnet_ids),
            list(there.control_plane_subnet_ids),
            there.node_security_group_id,
            subnets=dict(zip(wanted.zones, there.node_subnet_ids, strict=False)),
        )
    made = GpuNetwork(
        "network",
        {
            **common,  # type: ignore[typeddict-item]
            "cidr": wanted.cidr,
            "secondary_cidrs": list(wanted.secondary_cidrs),
            "zones": list(wanted.zones),
            "nat_gateway_per_zone": wanted.nat_gateways == "per-zone",
            "log_retention_days": wanted.flow_log_retention_days,
            "key_arn": key.key_arn,
        },
        options,
    )
    return _Network(
        made.vpc_id,
        made.node_subnet_ids,
        made.control_plane_subnet_ids,
        made.node_security_group_id,
        (made,),
        made.subnets,
    )


def _registry_args(settings: PlatformSettings, key_arn: pulumi.Input[str]) -> Any:  # a TypedDict built in parts
    caches = {
        short: {"upstream": cache.upstream} | ({"credential_arn": cache.credential_arn} if cache.credential_arn else {})
        for short, cache in settings.registry.pull_through.items()
    }
    return {
        "cluster_name": settings.cluster.name,
        "repositories": list(settings.registry.repositories),
        "pull_through": caches,
        "key_arn": key_arn,
        "protect": settings.cluster.deletion_protection,
        "tags": dict(settings.tags),
    }
