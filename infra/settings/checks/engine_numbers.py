"""Numbers of engine options: heads, GPUs, quantisation and memory that must fit."""

from collections.abc import Iterator

from infra.catalog.engines import CUSTOM, VLLM, flag_table, gpu_capability, least_capability, online_methods
from infra.catalog.engines.arguments import uses
from infra.catalog.instances import GpuInstanceType
from infra.errors import Problem
from infra.planning.host_share import LEAST_HOST_GIB, host_share
from infra.settings.checks.draft import Draft
from infra.settings.checks.nearest_size import nearest_tensor_parallel
from infra.settings.engine_options import offloaded_gib
from infra.settings.models import ModelSettings
from infra.settings.server_requests import in_memory_gib
from infra.settings.values import did_you_mean

# Requests in one batch of an API server, where nothing is said (vLLM 0.33 engine/arg_utils.py, get_batch_defaults).
_SEQUENCES, _SEQUENCES_OF_LARGE, _LARGE_GPU_GIB = 256, 1024, 70

# Eight bits a weight with one scale a tensor, on every GPU that has a method at all.
_PLAIN_CHOICE = "fp8_per_tensor"

# Files of one's own that add parsers by any name.
_PLUGINS = {"toolCallParser": "--tool-parser-plugin", "reasoningParser": "--reasoning-parser-plugin"}


def parallel_divides_kv_heads(draft: Draft) -> Iterator[Problem]:
    """KV heads are divided evenly over the GPUs, or each is copied to the same number of them."""
    for index, model in draft.models:
        shape, cut = model.shape, model.tensor_parallel
        heads, of = (shape.kv_heads, shape.attention_heads) if shape else (None, None)
        if shape is None or not heads or "MLA" in shape.attention or (of and of % cut):
            continue  # with MLA every GPU holds the one latent head; query heads that do not divide are said elsewhere
        if heads % cut and cut % heads:
            yield Problem(
                f"models[{index}].tensorParallel",
                str(cut),
                f"a divisor or a multiple of the {heads} key-value heads of {model.shape_of or model.model}",
                f"write {nearest_tensor_parallel(draft, model)}",
            )


def experts_need_gpus(draft: Draft) -> Iterator[Problem]:
    """Experts can only be divided over several GPUs."""
    for index, model in draft.models:
        if model.engine_options.expert_parallel and model.size.gpus == 1:
            yield Problem(
                f"models[{index}].engineOptions.expertParallel",
                "true on one GPU",
                "true with tensorParallel or dataParallel above 1: experts are divided over the GPUs",
                "remove it",
            )


def mixtures_have_experts(draft: Draft) -> Iterator[Problem]:
    """An engine ends at its start where experts are to be divided and the model has none."""
    for index, model in draft.models:
        if model.engine_options.expert_parallel and model.shape and model.shape.experts == 0:
            yield Problem(
                f"models[{index}].engineOptions.expertParallel",
                f"true for {model.shape_of or model.model}, whose layers have no experts",
                "a mixture of experts (infra/catalog/data/models.csv, column experts)",
                "remove it; tensorParallel cuts a dense model",
            )


def batch_holds_its_sequences(draft: Draft) -> Iterator[Problem]:
    """Each sequence of a step has at least one token in it (vLLM 0.33, config/scheduler.py)."""
    for index, model in draft.models:
        tokens = model.engine_options.max_batched_tokens
        sequences = model.engine_options.max_concurrent_sequences
        if model.engine == VLLM.name and tokens and sequences and tokens < sequences:
            yield Problem(
                f"models[{index}].engineOptions.maxBatchedTokens",
                f"{tokens} with maxConcurrentSequences {sequences}",
                f"at least {sequences}: a step has a token of each sequence",
                f"write {sequences} or more, or lower maxConcurrentSequences to {tokens}",
            )


def words_are_known(draft: Draft) -> Iterator[Problem]:
    """Values that the engine's parser would refuse."""
    asked = {
        "quantization": ("--quantization", "--quantize"),
        "kvCacheDtype": ("--kv-cache-dtype",),
        "toolCallParser": ("--tool-call-parser",),
        "reasoningParser": ("--reasoning-parser",),
        "maxLoraRank": ("--max-lora-rank",),
        "speculative.method": ("--spec-method", "--speculative-algorithm"),
    }
    for index, model in draft.models:
        if model.engine == CUSTOM.name:
            continue
        table, options = flag_table(model.engine), model.engine_options
        given = {
            "quantization": options.quantization,
            "kvCacheDtype": options.kv_cache_dtype,
            "toolCallParser": options.tool_call_parser,
            "reasoningParser": options.reasoning_parser,
            "maxLoraRank": options.max_lora_rank,
            "speculative.method": options.speculative.method if options.speculative else None,
        }
        for setting, value in given.items():
            flag = next((found for name in asked[setting] if (found := table.find(name))), None)
            if value is None or flag is None or not flag.choices or str(value) in flag.choices:
                continue
            if any(use.text == _PLUGINS.get(setting) for use in uses(options.extra_arguments)):
                continue
            mend = _nearest_word(value, flag.choices)
            yield Problem(
                f"models[{index}].engineOptions.{setting}",
                f'"{value}"' if isinstance(value, str) else str(value),
                f"what {flag.name} of {table.engine} {table.version} takes: {', '.join(flag.choices)}",
                mend,
            )


def checkpoints_can_be_read_so(draft: Draft) -> Iterator[Problem]:
    """A method of quantised checkpoints finds nothing to read in one that is not (vLLM 0.33, weight_utils.py)."""
    for index, model in draft.models:
        method, online = model.engine_options.quantization, online_methods(model.engine)
        plain = model.shape is not None and model.shape_of is None and model.shape.is_unquantised
        if method and online and plain and method not in online and least_capability(model.engine, method) is not None:
            yield Problem(
                f"models[{index}].engineOptions.quantization",
                f'"{method}" for {model.model}, whose checkpoint is not quantised',
                f"a method that quantises weights as they are loaded: {', '.join(online)}",
                f"write {_PLAIN_CHOICE}, or name a repository that was quantised with {method}",
            )


def gpus_can_quantise(draft: Draft) -> Iterator[Problem]:
    """An engine refuses a method on a GPU that is too old, after the node was started."""
    for index, model in draft.models:
        method = model.engine_options.quantization
        least = least_capability(model.engine, method) if method else None
        if least is None:
            continue
        able = {item.gpu: gpu_capability(item.gpu) for item in _machines(draft, model)}
        newest = min((number for number in able.values() if number is not None), default=0)
        run = [name for name in online_methods(model.engine) if (least_capability(model.engine, name) or 0) <= newest]
        old = {gpu: number for gpu, number in able.items() if number is not None and number < least}
        if old:
            found = ", ".join(f"{gpu} has {number / 10}" for gpu, number in sorted(old.items()))
            yield Problem(
                f"models[{index}].engineOptions.quantization",
                f'"{method}" on {", ".join(model.node_pools)}: {found}',
                f"GPUs of compute capability {least / 10} or newer, which {model.engine} asks for with {method}",
                "name a pool with newer GPUs" + (f", or a method that these run: {', '.join(run)}" if run else ""),
            )


def queues_can_be_counted(draft: Draft) -> Iterator[Problem]:
    """vLLM's limit of its queue counts requests that run: what may wait is known only beside how many those are."""
    for index, model in draft.models:
        options = model.engine_options
        waiting = options.admission.max_queued_requests
        if model.engine == VLLM.name and waiting is not None and options.max_concurrent_sequences is None:
            yield Problem(
                f"models[{index}].engineOptions.admission.maxQueuedRequests",
                f"{waiting} without maxConcurrentSequences",
                "both: vLLM counts waiting and running requests together, so the limit is their sum",
                f"write maxConcurrentSequences: {_SEQUENCES}, vLLM's own on GPUs below {_LARGE_GPU_GIB} GiB and on"
                f" A100s; on larger ones it is {_SEQUENCES_OF_LARGE}",
            )


def cache_fits_gpu(draft: Draft) -> Iterator[Problem]:
    """A KV cache of a stated size fits the smallest GPU it may meet."""
    for index, model in draft.models:
        asked, machines = model.engine_options.kv_cache_memory_gib, _machines(draft, model)
        sizes = [item.gpu_memory_mib / 1024 for item in machines if item.gpu_memory_mib]
        if asked is None or not sizes or any(pool.partition for pool in draft.pools_of(model)):
            continue
        if asked >= min(sizes):
            yield Problem(
                f"models[{index}].engineOptions.kvCacheMemoryGib",
                f"{asked} on a GPU with {min(sizes):.0f} GiB",
                "less than the GPU's memory, with room for weights and activations",
                "write what a server reported as vllm:cache_config_info, or remove it",
            )


def offload_fits_host(draft: Draft) -> Iterator[Problem]:
    """KV blocks on the host lie in /dev/shm, which is part of the pod's memory and so of the node's."""
    for index, model in draft.models:
        offload, machines = offloaded_gib(model.engine_options), _machines(draft, model)
        divided = any(pool.partition for pool in draft.pools_of(model))
        if not offload or divided or not any(item.gpu_count >= model.gpus for item in machines):
            continue
        shared = in_memory_gib(model) - offload
        share = host_share(machines, model.gpus).memory_gib - shared
        base = model.resources.memory_gib or LEAST_HOST_GIB
        if base + offload > share:
            said = f"resources.memoryGib {base}" if model.resources.memory_gib else f"{base} GiB for the engine itself"
            yield Problem(
                f"models[{index}].engineOptions.kvOffload.gib",
                str(model.engine_options.kv_offload.gib if model.engine_options.kv_offload else offload),
                f"at most {max(0, share - base)} GiB: the server's share of its node is {share + shared} GiB, less"
                f" {said} and {shared} GiB of sharedMemoryGib",
                f"write {share - base} or less" if share > base else "remove it, or name a pool with more memory",
            )


def _machines(draft: Draft, model: ModelSettings) -> list[GpuInstanceType]:
    """What the model's pools may start; nothing where one of them is unknown or not valid."""
    pools = draft.pools_of(model)
    if not pools or len(pools) < len(set(model.node_pools)):
        return []
    return [machine for pool in pools for machine in pool.candidates]


def _nearest_word(value: str | int, choices: tuple[str, ...]) -> str:
    """The smallest choice that is not less than a number; the one spelt most like a word."""
    if isinstance(value, int):
        return f"write {next((choice for choice in choices if int(choice) >= value), choices[-1])}"
    default = _PLAIN_CHOICE if _PLAIN_CHOICE in choices else choices[0]
    same = next((choice for choice in choices if choice.lower() == value.lower()), None)
    return f"write {same}" if same else did_you_mean(value, choices, f"write {default}")
