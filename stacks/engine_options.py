"""From the settings of a model to what its engine and its pod are told, the same for every form of serving."""

from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs
from infra.conventions import GPU_RESOURCE
from infra.planning.host_share import cache_gib, host_share
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.slices import share_of
from stacks.weights_of_models import TOKEN_KEY, TOKEN_SECRET, weights_args


def engine_options(model: ModelSettings, settings: PlatformSettings) -> EngineOptionsArgs:
    """What the engine of one model of the settings does."""
    del settings  # nothing of the engine depends on the rest today
    options: EngineOptionsArgs = {
        "model": model.model,
        "tensor_parallel": model.tensor_parallel,
        "gpu_memory_utilization": model.gpu_memory_utilization,
    }
    if model.revision:
        options["revision"] = model.revision
    if model.max_model_len:
        options["max_model_len"] = model.max_model_len
    return options


def serving_pod(model: ModelSettings, settings: PlatformSettings) -> ServingPodArgs:
    """The pod of one server of a model of the settings."""
    pools = [pool for pool in settings.node_pools if pool.name in model.node_pools]
    devices = share_of(model, pools, settings.mig_layouts)
    share = host_share([machine for pool in pools for machine in pool.candidates], devices.gpus)
    weights = weights_args(model, settings)
    pod: ServingPodArgs = {
        "image": model.image,
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
    if weights:
        pod["weights"] = weights
    if devices.resource != GPU_RESOURCE:
        pod["gpu_resource"] = devices.resource
    if model.gated:
        pod["token_secret"] = {"name": TOKEN_SECRET, "key": TOKEN_KEY}
    return pod
