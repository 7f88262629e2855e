"""The program: settings, then layers, then exports. The engine runs it, and so does the evaluation."""

import pulumi
import pulumi_kubernetes as kubernetes

from infra.settings.target import LAYERS, Layer
from stacks.contract import export
from stacks.platform_layer import deploy_platform
from stacks.stack_config import StackConfig
from stacks.workloads_layer import deploy_workloads


def deploy(config: StackConfig, layers: tuple[Layer, ...] = LAYERS) -> None:
    """Register everything the layers hold and export the contract.

    Args:
        layers: which layers to create; the evaluation passes all of them, the engine those of the stack.
    """
    settings = config.settings
    provider = kubernetes.Provider(
        "cluster",
        context=settings.cluster.name,
        # Without it, a change of the kubeconfig's text would replace the provider and everything under it.
        cluster_identifier=settings.cluster.name,
    )
    pools = deploy_platform(settings, provider) if "platform" in layers else {}
    servers = deploy_workloads(settings, config.secrets, provider, pools) if "workloads" in layers else {}
    export(
        {
            "clusterName": settings.cluster.name,
            "nodePools": pulumi.Output.all(*(pool.pool_name for pool in pools.values())),
            "modelUrls": pulumi.Output.all(**{name: server.url for name, server in servers.items()}),
        }
    )
