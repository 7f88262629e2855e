"""The workloads layer: namespaces and model servers."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, Secret

from components.serving import ModelServer, ModelServerArgs
from infra.conventions import STACK_LABEL
from infra.errors import InputError
from infra.planning.host_share import cache_gib, host_share
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.tokens import TOKEN, problems_of_tokens
from stacks.platform_layer import Cluster, PlatformLayer

TOKEN_SECRET = "hugging-face"  # noqa: S105 - the name of a Secret
TOKEN_KEY = "token"  # noqa: S105 - the name of a key


def deploy_workloads(
    cluster: Cluster,
    stack: str,
    secrets: Mapping[str, pulumi.Output[str]],
    platform: PlatformLayer,
) -> dict[str, ModelServer]:
    """Create the workloads layer.

    Args:
        stack: the stack that holds the layer; namespaces name it.
        platform: what the same stack made of the layer below; a server waits for the pools it may run on and for
            the controllers, whose webhooks see its objects, and goes first when all is destroyed.

    Returns:
        The model servers by name.

    Raises:
        InputError: when a gated model has no token.
    """
    settings = cluster.settings
    options = pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=list(cluster.foundation.needs))
    namespaces = {
        name: _namespace(name, stack, options) for name in sorted({model.namespace for model in settings.models})
    }
    tokens = _token_secrets(settings, secrets, namespaces, options)
    servers = {}
    for model in settings.models:
        needed: list[pulumi.Resource] = [namespaces[model.namespace], *platform.controllers.values()]
        needed += [platform.pools[name] for name in model.node_pools if name in platform.pools]
        needed += [tokens[model.namespace]] if model.gated else []
        servers[model.name] = ModelServer(
            model.name,
            model_server_args(model, settings),
            pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=needed),
        )
    return servers


def model_server_args(model: ModelSettings, settings: PlatformSettings) -> ModelServerArgs:
    """The component's arguments for one model of the settings."""
    pools = [pool for pool in settings.node_pools if pool.name in model.node_pools]
    share = host_share([machine for pool in pools for machine in pool.candidates], model.tensor_parallel)
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
        "cache_gib": cache_gib(model.known_checkpoint_gib or 0),
        "shared_memory_gib": model.shared_memory_gib,
    }
    if model.revision:
        args["revision"] = model.revision
    if model.max_model_len:
        args["max_model_len"] = model.max_model_len
    if model.gated:
        args["token_secret"] = {"name": TOKEN_SECRET, "key": TOKEN_KEY}
    return args


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
