"""From the settings of a model to what its engine and its pod are told, the same for every form of serving."""

from typing import cast

from components.serving.serving_args import CustomEngineArgs, EngineOptionsArgs, ServingPodArgs
from infra.catalog.engines import VLLM
from infra.conventions import GPU_RESOURCE
from infra.planning.host_share import cache_gib
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.engine_options import CustomEngine, EngineOptions
from infra.settings.server_requests import host_request
from infra.settings.slices import share_of
from stacks.server_place import server_place
from stacks.weights_of_models import TOKEN_KEY, TOKEN_SECRET, weights_args


def engine_options(model: ModelSettings, settings: PlatformSettings) -> EngineOptionsArgs:
    """What the engine of one model of the settings does."""
    del settings  # nothing of the engine depends on the rest today
    options: EngineOptionsArgs = {"model": model.model, "tensor_parallel": model.tensor_parallel}
    if model.engine != VLLM.name:
        options["engine"] = model.engine
    # The share means something else to each engine: vLLM's is its own setting, with a default.
    share = model.gpu_memory_utilization if model.engine == VLLM.name else model.engine_options.memory_fraction
    if share is not None:
        options["gpu_memory_utilization"] = share
    if model.revision:
        options["revision"] = model.revision
    if model.pipeline_parallel > 1:
        options["pipeline_parallel"] = model.pipeline_parallel
    if model.nodes > 1:
        options["nodes"] = model.nodes
    if model.max_model_len:
        options["max_model_len"] = model.max_model_len
    if model.custom:
        options["custom"] = _custom(model.custom)
    options.update(_chosen(model.engine_options))
    return options


def _chosen(chosen: EngineOptions) -> EngineOptionsArgs:
    """The options that are given, under the names that the component has for them."""
    plain = {
        "data_parallel": chosen.data_parallel if chosen.data_parallel > 1 else None,
        "expert_parallel": chosen.expert_parallel or None,
        "quantization": chosen.quantization,
        "kv_cache_dtype": chosen.kv_cache_dtype,
        "kv_cache_gib": chosen.kv_cache_memory_gib,
        "prefix_caching": chosen.prefix_caching,
        "kv_offload": chosen.kv_offload and chosen.kv_offload.model_dump(),
        "lora_adapters": [adapter.model_dump(exclude={"checkpoint_gib"}) for adapter in chosen.lora_adapters] or None,
        "max_loras": chosen.max_loras,
        "max_lora_rank": chosen.max_lora_rank,
        "speculative": chosen.speculative
        and chosen.speculative.model_dump(exclude={"checkpoint_gib"}, exclude_none=True),
        "max_queued_requests": chosen.admission.max_queued_requests,
        "max_queued_tokens": chosen.admission.max_queued_tokens,
        "max_sequences": chosen.max_concurrent_sequences,
        "max_batched_tokens": chosen.max_batched_tokens,
        "media_domains": list(chosen.media_domains) or None,
        "sleep_mode": chosen.sleep_mode or None,
        "trust_remote_code": chosen.trust_remote_code or None,
        "tool_parser": chosen.tool_call_parser,
        "reasoning_parser": chosen.reasoning_parser,
        "chat_template": chosen.chat_template,
        "run_as": chosen.run_as and chosen.run_as.model_dump(),
        "extra_arguments": list(chosen.extra_arguments) or None,
    }
    return cast(EngineOptionsArgs, {name: value for name, value in plain.items() if value is not None})


def _custom(custom: CustomEngine) -> CustomEngineArgs:
    args = custom.model_dump(exclude_none=True)
    lists = {name: list(args[name]) for name in ("command", "arguments")}
    return cast(CustomEngineArgs, {name: value for name, value in {**args, **lists}.items() if value})


def serving_pod(model: ModelSettings, settings: PlatformSettings) -> ServingPodArgs:
    """The pod of one server of a model of the settings."""
    pools = [pool for pool in settings.node_pools if pool.name in model.node_pools]
    devices = share_of(model, pools, settings.mig_layouts)
    request = host_request(model, pools, settings.mig_layouts)
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
        "cpu": request.cpu,
        "memory_gib": request.memory_gib,
        "cache_gib": cache_gib(0 if weights else model.download_gib),
        "shared_memory_gib": model.shared_memory_gib,
    }
    pod["place"] = server_place(model, pools, settings)
    if weights:
        pod["weights"] = weights
    if devices.resource != GPU_RESOURCE:
        pod["gpu_resource"] = devices.resource
    if model.gated:
        pod["token_secret"] = {"name": TOKEN_SECRET, "key": TOKEN_KEY}
    return pod
