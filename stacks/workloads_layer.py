"""The workloads layer: namespaces and model servers."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, Secret

from components.serving import ModelServer, ModelServerArgs
from infra.conventions import GPU_RESOURCE, STACK_LABEL
from infra.errors import InputError
from infra.planning.host_share import cache_gib, host_share
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.slices import share_of
from infra.settings.tokens import TOKEN, problems_of_tokens
from stacks.platform_layer import Cluster, PlatformLayer
from stacks.storage_layer import deploy_checkpoints, deploy_claims
from stacks.weights_of_models import TOKEN_KEY, TOKEN_SECRET, weights_args


@dataclass(frozen=True, slots=True)
class Workloads:
    """What the workloads layer made in this stack.

    Attributes:
        servers: model servers by name.
        stores: checkpoint stores.
    """

    servers: Mapping[str, ModelServer]
    stores: tuple[pulumi.Resource, ...] = ()


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
    options = pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=list(cluster.foundation.needs))
    namespaces = {name: _namespace(name, stack, options) for name in sorted(_namespaces(settings))}
    tokens = _token_secrets(settings, secrets, namespaces, options)
    weights = deploy_claims(cluster, namespaces, tokens, platform)
    stores = deploy_checkpoints(cluster, namespaces, platform)
    servers = {}
    for model in settings.models:
        needed: list[pulumi.Resource] = [namespaces[model.namespace], *platform.controllers.values()]
        needed += [platform.pools[name] for name in model.node_pools if name in platform.pools]
        needed += [tokens[model.namespace]] if model.gated else []
        needed += weights.get(f"{model.namespace}/{model.name}", [])
        servers[model.name] = ModelServer(
            model.name,
            model_server_args(model, settings),
            pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=needed),
        )
    return Workloads(servers, tuple(stores))


def model_server_args(model: ModelSettings, settings: PlatformSettings) -> ModelServerArgs:
    """The component's arguments for one model of the settings."""
    pools = [pool for pool in settings.node_pools if pool.name in model.node_pools]
    devices = share_of(model, pools, settings.mig_layouts)
    share = host_share([machine for pool in pools for machine in pool.candidates], devices.gpus)
    weights = weights_args(model, settings)
    args: ModelServerArgs = {
        "namespace": model.namespace,
        "model": model.model,
        "image": model.image,
        "replicas": model.replicas,
        "tensor_parallel": model.tensor_parallel,
        "gpu_memory_utilization": model.gpu_memory_utilization,
        "node_pools": list(model.node_pools),
        "spot_allowed": model.traffic == "interruptible",
        "tolerations": [
            {"key": taint.key, "value": taint.value, "effect": taint.effect} for pool in pools for taint in pool.taints
        ],
        "startup_seconds": model.startup_seconds,
        "pre_stop_seconds": model.drain.pre_stop_seconds,
        "shutdown_timeout_seconds": model.drain.shutdown_timeout_seconds,
        "cpu": model.resources.cpu or share.cpu,
        "memory_gib": model.resources.memory_gib or share.memory_gib,
        "cache_gib": cache_gib(0 if weights else model.known_checkpoint_gib or 0),
        "shared_memory_gib": model.shared_memory_gib,
    }
    if model.revision:
        args["revision"] = model.revision
    if model.max_model_len:
        args["max_model_len"] = model.max_model_len
    if weights:
        args["weights"] = weights
    if devices.resource != GPU_RESOURCE:
        args["gpu_resource"] = devices.resource
    if model.gated:
        args["token_secret"] = {"name": TOKEN_SECRET, "key": TOKEN_KEY}
    return args


def _namespaces(settings: PlatformSettings) -> set[str]:
    return {model.namespace for model in settings.models} | {store.namespace for store in settings.storage.checkpoints}


def _namespace(name: str, stack: str, options: pulumi.ResourceOptions) -> Namespace:
    labels = {
        "app.kubernetes.io/part-of": "gpu-platform",
        STACK_LABEL: stack,
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    return Namespace(f"{name}-namespace", metadata={"name": name, "labels": labels}, opts=options)


def _token_secrets(
    settings: PlatformSettings,
    secrets: Mapping[str, pulumi.Output[str]],
    namespaces: Mapping[str, Namespace],
    options: pulumi.ResourceOptions,
) -> dict[str, Secret]:
    """The Hugging Face token in each namespace that serves a gated model."""
    missing = problems_of_tokens(settings, secrets)
    if missing:
        raise InputError(missing)
    return {
        namespace: Secret(
            f"{namespace}-{TOKEN_SECRET}",
            metadata={"name": TOKEN_SECRET, "namespace": namespace},
            string_data={TOKEN_KEY: secrets[TOKEN]},
            opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[namespaces[namespace]])),
        )
        for namespace in sorted({model.namespace for model in settings.models if model.gated})
    }
