"""The workloads layer: namespaces and model servers."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.serving import ModelServer, ModelServerArgs
from infra.planning.priorities import priority_class
from infra.settings import ModelSettings, PlatformSettings
from stacks.canary_layer import deploy_canaries
from stacks.engine_options import engine_options, serving_pod
from stacks.exposure_layer import deploy_exposures
from stacks.gateway_layer import deploy_gateway
from stacks.kserve_layer import deploy_kserve_model
from stacks.multi_node_layer import deploy_group
from stacks.platform_layer import Cluster, PlatformLayer
from stacks.server_place import clients_args, rollout_args
from stacks.storage_layer import deploy_checkpoints, deploy_claims
from stacks.tenancy_layer import deploy_spaces


@dataclass(frozen=True, slots=True)
class Workloads:
    """What the workloads layer made in this stack.

    Attributes:
        servers: model servers by name.
        stores: checkpoint stores.
        ways_in: the gateway with its pickers, load balancers of single models, and rollouts of canaries.
    """

    servers: Mapping[str, ModelServer]
    stores: tuple[pulumi.Resource, ...] = ()
    ways_in: tuple[pulumi.Resource, ...] = ()


def deploy_workloads(
    cluster: Cluster,
    stack: str,
    secrets: Mapping[str, pulumi.Output[str]],
    platform: PlatformLayer,
) -> Workloads:
    """Create the workloads layer.

    Args:
        stack: the stack that holds the layer; namespaces name it.
        platform: what the same stack made of the layer below; a server waits for the pools it may run on and for
            the controllers, whose webhooks see its objects, and goes first when all is destroyed.

    Raises:
        InputError: when a gated model has no token.
    """
    settings = cluster.settings
    spaces = deploy_spaces(cluster, stack, secrets, platform)
    namespaces, tokens = spaces.namespaces, spaces.tokens
    weights = deploy_claims(cluster, namespaces, tokens, platform)
    stores = deploy_checkpoints(cluster, namespaces, platform)
    servers = {}
    for model in settings.models:
        needed: list[pulumi.Resource] = [namespaces[model.namespace], *platform.controllers.values()]
        priority = priority_class(model.traffic, model.priority_class)
        needed += [platform.priorities[priority]] if priority in platform.priorities else []
        needed += [platform.pools[name] for name in model.node_pools if name in platform.pools]
        needed += [tokens[model.namespace]] if model.gated else []
        needed += weights.get(f"{model.namespace}/{model.name}", [])
        if model.kserve:
            servers[model.name] = deploy_kserve_model(model, cluster, [*needed, *platform.kserve.values()])
            continue
        if model.nodes > 1:
            servers[model.name] = deploy_group(model, cluster, [*needed, *platform.groups])
            continue
        servers[model.name] = ModelServer(
            model.name,
            model_server_args(model, settings),
            pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=needed),
        )
    ways_in = [*deploy_gateway(cluster, namespaces, servers, secrets, platform)]
    ways_in += deploy_exposures(cluster, servers, platform)
    ways_in += deploy_canaries(cluster, servers, ways_in, platform)
    return Workloads(servers, tuple(stores), tuple(ways_in))


def model_server_args(model: ModelSettings, settings: PlatformSettings) -> ModelServerArgs:
    """The component's arguments for one model of the settings."""
    return {
        "namespace": model.namespace,
        "replicas": model.replicas,
        "engine": engine_options(model, settings),
        "pod": serving_pod(model, settings),
        "rollout": rollout_args(model),
        "clients": clients_args(model),
    }
