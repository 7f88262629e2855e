"""The program: settings, then layers, then exports. The engine runs it, and so does the evaluation."""

from dataclasses import replace

import pulumi
from pulumi_kubernetes import Provider

from infra.settings import PlatformSettings
from infra.settings.canary import with_canaries
from infra.settings.target import LAYERS, Layer
from stacks.contract import export
from stacks.foundation import Foundation
from stacks.guard import guard
from stacks.platform_layer import Cluster, PlatformLayer, deploy_platform
from stacks.stack_config import StackConfig
from stacks.storage_ids import storage_outputs
from stacks.workloads_layer import deploy_workloads


def deploy(config: StackConfig, layers: tuple[Layer, ...] = LAYERS) -> None:
    """Register everything the layers hold and export their part of the contract.

    Args:
        layers: which layers to create; the evaluation passes all of them, the engine those of the stack.
    """
    config = replace(config, settings=with_canaries(config.settings))
    settings = config.settings
    foundation, aws = _foundation(config, layers)
    outputs = dict(foundation.outputs)
    made = list(foundation.made)
    platform = PlatformLayer()
    if {"platform", "workloads"} & set(layers):
        cluster = Cluster(settings, foundation, _kubernetes_provider(settings, foundation), aws)
        if "platform" in layers:
            platform = deploy_platform(cluster)
            made += platform.resources
            outputs["nodePools"] = pulumi.Output.all(*(pool.pool_name for pool in platform.pools.values()))
        if "workloads" in layers:
            workloads = deploy_workloads(cluster, config.holder_of("workloads"), config.secrets, platform)
            made += [*workloads.servers.values(), *workloads.stores, *workloads.ways_in]
            urls = {name: server.url for name, server in workloads.servers.items()}
            outputs["modelUrls"] = pulumi.Output.all(**urls)
    guard(config, foundation, platform, layers, made)
    export(outputs)


def _foundation(config: StackConfig, layers: tuple[Layer, ...]) -> tuple[Foundation, pulumi.ProviderResource | None]:
    """The foundation, made here or in another stack, or a cluster that is there; and the AWS provider beside it."""
    settings = config.settings
    if settings.target == "local" or settings.aws is None:
        return Foundation(outputs={"clusterName": settings.cluster.name}), None
    # Imported here, so that an environment without AWS does not pay for the AWS SDK.
    from stacks.aws_foundation import aws_provider, deploy_foundation
    from stacks.layers import referenced_foundation

    aws = aws_provider(settings.aws) if {"foundation", "platform"} & set(layers) else None
    if settings.target == "existing":
        return Foundation(outputs={"clusterName": settings.cluster.name}), aws
    if "foundation" in layers and aws is not None:
        return deploy_foundation(settings, aws), aws
    return referenced_foundation(config.environment, storage_outputs(settings)), aws


def _kubernetes_provider(settings: PlatformSettings, foundation: Foundation) -> Provider:
    """The explicit provider of everything in the cluster.

    `cluster_identifier` is what the provider is replaced by when it changes. Without it a change in the text of the
    kubeconfig would replace the provider and everything under it.
    """
    if foundation.kubeconfig is not None:
        return Provider("cluster", kubeconfig=foundation.kubeconfig, cluster_identifier=settings.cluster.name)
    return Provider(
        "cluster",
        context=settings.cluster.context or settings.cluster.name,
        cluster_identifier=settings.cluster.name,
    )
