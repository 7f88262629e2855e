"""What an engine is called with: arguments and environment variables, the same for every form of serving.

Every flag comes from the engine table. Which option becomes which flag, and in what form, is written there.
"""

import json
from collections.abc import Iterator
from typing import Any

from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs
from components.serving.weights_spec import weight_variables
from components.specs import Spec
from infra.catalog.engines import CUSTOM, VLLM, Engine, Option, custom_engine, engine
from infra.errors import PlatformError
from infra.planning.group_size import GroupSize

# An empty list lets every address through (vLLM 0.33 multimodal/media/connector.py; SGLang 0.5.23 srt/utils/common.py),
# so what refuses all of them is one name that nobody can have (RFC 6761, .invalid).
_NO_DOMAIN = "nothing.invalid"

# vLLM listens on every address and on the table's port as it is; the others are told.
_TOLD_WHERE_TO_LISTEN = frozenset({"sglang", "tgi", "triton-tensorrt-llm", "trtllm-serve"})

# Methods of SGLang that take steps, branches and tokens together or not at all, and with one branch a token more than
# steps (0.5.23, arg_groups/speculative_hook.py, _handle_eagle_family).
_EAGLE_FAMILY = frozenset({"EAGLE", "EAGLE3", "NEXTN", "STANDALONE", "FROZEN_KV_MTP"})


def engine_of(options: EngineOptionsArgs) -> Engine:
    """Facts of the engine that the options are for."""
    name = options.get("engine", VLLM.name)
    if name != CUSTOM.name:
        return engine(name)
    custom = options["custom"]
    run_as = options.get("run_as", {"user": CUSTOM.user, "group": CUSTOM.group, "home": CUSTOM.home})
    return custom_engine(
        custom.get("drain_flag", ""),
        port=custom["port"],
        command=tuple(custom.get("command", [])),
        start_path=custom["start_path"],
        ready_path=custom["ready_path"],
        live_path=custom["live_path"],
        metrics_path=custom.get("metrics_path", ""),
        metrics_port=custom.get("metrics_port", custom["port"]),
        variables=custom.get("variables", {}),
        **run_as,
    )


def home_of(options: EngineOptionsArgs) -> str:
    """Folder that the engine's user may write; caches go to `.cache` in it."""
    return options["run_as"]["home"] if "run_as" in options else engine_of(options).home


def gpus_of(options: EngineOptionsArgs) -> int:
    """GPUs of one pod."""
    return GroupSize(
        options.get("nodes", 1),
        options["tensor_parallel"],
        options.get("pipeline_parallel", 1),
        options.get("data_parallel", 1),
    ).gpus_per_node


def engine_arguments(name: str, options: EngineOptionsArgs, pod: ServingPodArgs) -> list[str]:
    """Arguments of the image's entry point, or of the engine's command.

    Args:
        name: the model name in the API.
    """
    facts, weights = engine_of(options), pod.get("weights")
    values = _values(name, options, pod, facts)
    given = [text for key, value in values.items() if facts.has(key) for text in _written(facts.options[key], value)]
    first = [values["model"]] if facts.model_first else []
    own = options["custom"].get("arguments", []) if facts.name == CUSTOM.name else []
    stored = weights.get("flags", []) if weights else []
    return [*first, *own, *given, *stored, *options.get("extra_arguments", [])]


def engine_variables(options: EngineOptionsArgs, pod: ServingPodArgs) -> list[Spec]:
    """Environment variables of the engine's container."""
    facts = engine_of(options)
    variables: list[Spec] = [{"name": "HOME", "value": home_of(options)}]
    if facts.ready_timeout_variable:
        # The engine's own patience, in step with the startup probe's.
        variables.append({"name": facts.ready_timeout_variable, "value": str(pod["startup_seconds"])})
    variables += [{"name": key, "value": value} for key, value in facts.variables.items()]
    if "weights" in pod:
        variables += weight_variables(pod["weights"])
    # What is mounted was downloaded by somebody else: the engine has no use for the token.
    return variables if "weights" in pod else variables + token_variables(pod)


def custom_variables(name: str, options: EngineOptionsArgs, pod: ServingPodArgs) -> list[Spec]:
    """What the arguments of an engine of one's own may refer to; they must stand before they are used."""
    if options.get("engine") != CUSTOM.name:
        return []
    values = {
        "MODEL": _model(options, pod),
        "SERVED_MODEL_NAME": name,
        "TENSOR_PARALLEL": options["tensor_parallel"],
        "PIPELINE_PARALLEL": options.get("pipeline_parallel", 1),
    }
    return [{"name": key, "value": str(value)} for key, value in values.items()]


def token_variables(pod: ServingPodArgs) -> list[Spec]:
    """The Hugging Face token, for what downloads a gated model."""
    secret = pod.get("token_secret")
    if not secret:
        return []
    reference = {"name": secret["name"], "key": secret["key"]}
    return [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}]


def _model(options: EngineOptionsArgs, pod: ServingPodArgs) -> str:
    return pod["weights"]["model"] if "weights" in pod else options["model"]


def _values(name: str, options: EngineOptionsArgs, pod: ServingPodArgs, facts: Engine) -> dict[str, Any]:
    """Every option by its name in the table, in the order of the arguments; None where it is not given."""
    listens = facts.name in _TOLD_WHERE_TO_LISTEN
    return {
        "model": _model(options, pod),
        "host": "0.0.0.0" if listens else None,  # noqa: S104  # inside the pod; the network policy decides who comes
        "port": facts.port if listens else None,
        "metrics": True,
        "metrics_port": facts.metrics_port,
        "served_name": name,
        "revision": None if "weights" in pod else options.get("revision"),  # a path has none
        "tensor_parallel": options["tensor_parallel"],
        "pipeline_parallel": options.get("pipeline_parallel"),
        "context": options.get("max_model_len"),
        "memory_fraction": options.get("gpu_memory_utilization"),
        "drain": pod["shutdown_timeout_seconds"],
        "data_parallel": options.get("data_parallel"),
        "api_servers": _api_servers(options),
        "expert_parallel": options["tensor_parallel"] if options.get("expert_parallel") else None,
        **_chosen(options, facts),
    }


def _chosen(options: EngineOptionsArgs, facts: Engine) -> dict[str, Any]:
    """What the engine is told beyond place, model and parallelism."""
    prefix = options.get("prefix_caching")
    adapters = [f"{item['name']}={item['source']}" for item in options.get("lora_adapters", [])]
    return {
        "quantization": options.get("quantization"),
        "kv_cache_dtype": options.get("kv_cache_dtype"),
        "kv_cache_gib": options.get("kv_cache_gib"),
        "prefix_caching": prefix is True,
        "no_prefix_caching": prefix is False,
        **_offload(options),
        "lora": bool(adapters),
        "lora_adapters": adapters or None,
        "max_loras": options.get("max_loras"),
        "max_lora_rank": options.get("max_lora_rank"),
        **_speculative(options),
        "max_queued_requests": _queue_limit(options, facts),
        "max_queued_tokens": options.get("max_queued_tokens"),
        "max_sequences": options.get("max_sequences"),
        "max_batched_tokens": options.get("max_batched_tokens"),
        "media_domains": options.get("media_domains") or [_NO_DOMAIN],
        "sleep_mode": options.get("sleep_mode"),
        "trust_remote_code": options.get("trust_remote_code"),
        "auto_tool_choice": "tool_parser" in options,
        "tool_parser": options.get("tool_parser"),
        "reasoning_parser": options.get("reasoning_parser"),
        "chat_template": options.get("chat_template"),
    }


def _api_servers(options: EngineOptionsArgs) -> int | None:
    """One for the copies of one node. vLLM starts one a copy, and none of them drains: the process that stops them, not
    they, has the engines (0.33: entrypoints/cli/serve.py; v1/engine/core_client.py, shutdown). Over several nodes the
    preStop hook of the group waits instead."""
    several = options.get("data_parallel", 1) > 1 and options.get("nodes", 1) == 1
    return 1 if several else None


def _queue_limit(options: EngineOptionsArgs, facts: Engine) -> int | None:
    """How many may wait, as the engine counts them: vLLM's limit holds those that run too, over all copies (0.33
    config/scheduler.py, max_num_queued_reqs), SGLang's those that wait for one copy (0.5.23 srt/managers/scheduler.py,
    _abort_on_queued_limit)."""
    waiting, copies = options.get("max_queued_requests"), options.get("data_parallel", 1)
    if waiting is None:
        return None
    if facts.name != VLLM.name:
        return -(-waiting // copies)
    if "max_sequences" not in options:
        raise PlatformError(
            f"max_queued_requests {waiting} without max_sequences: vLLM counts those that run too",
            "add max_sequences, the requests of one batch",
        )
    return copies * options["max_sequences"] + waiting


def _offload(options: EngineOptionsArgs) -> dict[str, Any]:
    offload = options.get("kv_offload")
    if not offload:
        return {}
    return {"kv_offload": True, "kv_offload_gib": offload["gib"], "kv_offload_backend": offload["backend"]}


def _speculative(options: EngineOptionsArgs) -> dict[str, Any]:
    """In one piece as vLLM takes it, and in parts as SGLang does."""
    chosen = options.get("speculative")
    if not chosen:
        return {}
    tokens = chosen["tokens"]
    is_chain = chosen["method"].upper() in _EAGLE_FAMILY
    whole = {"method": chosen["method"], "model": chosen.get("model"), "num_speculative_tokens": tokens}
    return {
        "speculative": {key: value for key, value in whole.items() if value is not None},
        "speculative_method": chosen["method"],
        "speculative_model": chosen.get("model"),
        "speculative_steps": tokens if is_chain else None,
        "speculative_branches": 1 if is_chain else None,
        "speculative_tokens": tokens + 1 if is_chain else tokens,
    }


def _written(option: Option, value: Any) -> Iterator[str]:  # whatever the option is a value of
    """An option as arguments; nothing where it is not given."""
    if value is None or value is False:
        return
    if option.form == "switch":
        yield option.flag
    elif option.form == "words":
        yield from (option.flag, *value)
    else:
        yield f"{option.flag}={_text(option, value)}"


def _text(option: Option, value: Any) -> str:
    match option.form:
        case "json":
            return json.dumps(value, separators=(",", ":"), sort_keys=True)
        case "commas":
            return ",".join(value)
        case "bytes":
            return str(int(value * 2**30))
        case "whole":
            return str(int(value))
        case _:
            return str(value)
