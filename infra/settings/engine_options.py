"""What an engine is told beyond model and parallelism, in words of our own: one setting, whatever the engine calls it.

Which engine has which of them, and under which flag, is in `infra/catalog/data/engine_options.csv`; an option that an
engine lacks is an error. Nothing given means the engine's own default, and no flag.
"""

import math
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictFloat, StrictInt, model_validator

from infra.settings.values import Count, Flag, ObjectName, Positive, Settings, invalid, matching

_GIB = Annotated[StrictFloat, Field(gt=0, allow_inf_nan=False)]
_PORT = Annotated[StrictInt, Field(ge=1, le=65535)]
_PATH = Annotated[str, AfterValidator(matching(r"/[\w./-]*", "a path that begins with /, such as /health"))]
_WORD = Annotated[str, AfterValidator(matching(r"[A-Za-z0-9][\w.+-]*", "a word, such as fp8"))]
# The engines compare it with the host of the URL, in small letters; the last part is none of an address.
_HOST_NAME = r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?"
_HOST = Annotated[str, AfterValidator(matching(_HOST_NAME, "a host name, such as images.example.com"))]
_VARIABLES = re.compile(r"VLLM_SERVER_DEV_MODE|HF_TOKEN|HUGGING_FACE_HUB_TOKEN")


class LoraAdapter(Settings):
    """An adapter that is loaded beside the model."""

    name: ObjectName
    """Model name by which requests choose it."""
    source: Annotated[
        str,
        AfterValidator(
            matching(r"/[\w./-]+|[\w.-]+/[\w.-]+", "a path in the container, or a Hugging Face repository owner/name")
        ),
    ]
    """A path in the container, or a Hugging Face repository that is downloaded at each start."""
    checkpoint_gib: _GIB | None = None
    """Size of that repository in GiB: room in the server's cache. Default: an allowance, 0.05 for each unit of
    maxLoraRank."""


class KvOffload(Settings):
    """Host memory that takes KV blocks the GPU has no room for."""

    gib: _GIB
    """GiB for one server, all its GPUs together. Part of the pod's memory: see docs/engines.md."""
    backend: Literal["native", "lmcache"] = "native"
    """Who moves the blocks. Default: vLLM's own; lmcache needs an image that holds it."""


class Speculative(Settings):
    """Tokens that a cheap method proposes and the model checks, several at a time."""

    method: _WORD
    """Method as the engine names it, such as ngram, draft_model or eagle3 (vLLM), EAGLE3 (SGLang)."""
    model: str | None = None
    """Draft model: a Hugging Face repository or a path; a method that looks only at the prompt has none."""
    checkpoint_gib: _GIB | None = None
    """Size of a draft model from the Hub in GiB, needed where the catalogue does not know it: room in the server's
    cache."""
    tokens: Positive
    """Tokens proposed at a time, one after the other: with SGLang's EAGLE family a chain of as many steps."""


class Admission(Settings):
    """What an engine refuses rather than queue, answered with 503; without it its queue has no end."""

    max_queued_requests: Positive | None = None
    """Requests that may wait beside those that run. With vllm it needs maxConcurrentSequences, because vLLM counts
    both: it is told dataParallel x maxConcurrentSequences more."""
    max_queued_tokens: Positive | None = None
    """Prompt tokens that may wait: the time to first token you allow, times the tokens a second of prefill."""


class RunAs(Settings):
    """The user an image runs as, where it is not the one of the engine table."""

    user: Positive
    """User id; never 0."""
    group: Count = 0
    """Group id, also of the volumes. Default: 0, as in images that any user may run."""
    home: _PATH = "/tmp"  # noqa: S108  # a folder in the container
    """Folder that user may write; caches go to .cache in it. Default: /tmp."""


class EngineOptions(Settings):
    """What the engine is told."""

    unconfirmed: Literal["refuse", "accept"] = "refuse"
    """Whether facts of the engine table that were not confirmed may be used. Default: refuse, with a list of them."""
    memory_fraction: Annotated[StrictFloat, Field(gt=0, le=1)] | None = None
    """Engines other than vLLM: their own share of memory, in their own meaning (docs/engines.md); vLLM's is
    gpuMemoryUtilization. Default: the engine's."""
    data_parallel: Positive = 1
    """Copies of the model in one server, each on tensorParallel GPUs of one node; all on one node unless `nodes` says
    otherwise. Default: 1."""
    expert_parallel: Flag = False
    """Whether experts of a mixture are divided over all GPUs of the server rather than each cut in slices."""
    quantization: _WORD | None = None
    """Method by which weights are quantised as they are loaded, or that a checkpoint is in; a quantised checkpoint
    says it by itself."""
    kv_cache_dtype: _WORD | None = None
    """Type of the KV cache, such as fp8: half the bytes of a token. Default: the model's."""
    kv_cache_memory_gib: _GIB | None = None
    """KV cache of one GPU in GiB, as read from a server that ran: a start then measures nothing. Default: what is left
    of gpuMemoryUtilization."""
    prefix_caching: Flag | None = None
    """Whether prompts that begin alike share their KV blocks. Default: the engine's, which is on for vLLM and SGLang.
    Tenants that must not learn of each other's prompts by timing need false, or servers of their own."""
    kv_offload: KvOffload | None = None
    """Host memory behind the KV cache."""
    lora_adapters: tuple[LoraAdapter, ...] = ()
    """Adapters that are loaded at the start."""
    max_loras: Positive | None = None
    """Adapters in one batch. Default: the engine's (vLLM 1, SGLang 8 with the base model)."""
    max_lora_rank: Positive | None = None
    """Largest rank of an adapter. Default: the engine's (vLLM 16)."""
    speculative: Speculative | None = None
    """Speculative decoding."""
    admission: Admission = Admission()
    """What is refused rather than queued."""
    max_concurrent_sequences: Positive | None = None
    """Requests in one batch. Default: the engine's, by the GPU's memory."""
    max_batched_tokens: Positive | None = None
    """Tokens of one step. Default: the engine's, by the GPU's memory."""
    media_domains: tuple[_HOST, ...] = ()
    """Host names from which the server may fetch what a request names by URL: images, videos, sounds. Default: none;
    requests may still bring the data themselves. With another name a request can make the server call it, so name only
    hosts that anybody may call, never one of the cluster."""
    sleep_mode: Flag = False
    """Whether the engine can give back GPU memory without ending (vLLM). The HTTP endpoints for it stay off, because
    they would open more on the same port than sleeping: see docs/engines.md."""
    trust_remote_code: Flag | None = None
    """Whether code from the model's repository may run in the server. Default: no; a model that needs it fails to
    start. Write false to say that you considered it."""
    tool_call_parser: _WORD | None = None
    """Parser of tool calls, by the model's family."""
    reasoning_parser: _WORD | None = None
    """Parser of reasoning, by the model's family."""
    chat_template: str | None = None
    """Chat template: a path in the image or one line. Default: the model's."""
    run_as: RunAs | None = None
    """User of the image, where it is not the table's."""
    extra_arguments: tuple[str, ...] = ()
    """Arguments beyond these, each checked against the flags of the engine's version: --flag=value, or --flag and its
    value as two items."""

    def used(self) -> frozenset[str]:
        """Our names of the options that are given here, as the engine table has them."""
        given = {
            "memory_fraction": self.memory_fraction is not None,
            "data_parallel": self.data_parallel > 1,
            "expert_parallel": self.expert_parallel,
            "quantization": self.quantization is not None,
            "kv_cache_dtype": self.kv_cache_dtype is not None,
            "kv_cache_gib": self.kv_cache_memory_gib is not None,
            "prefix_caching": self.prefix_caching is True,
            "no_prefix_caching": self.prefix_caching is False,
            "kv_offload_gib": self.kv_offload is not None,
            "lora_adapters": bool(self.lora_adapters),
            "max_loras": self.max_loras is not None,
            "max_lora_rank": self.max_lora_rank is not None,
            "speculative": self.speculative is not None,
            "max_queued_requests": self.admission.max_queued_requests is not None,
            "max_queued_tokens": self.admission.max_queued_tokens is not None,
            "max_sequences": self.max_concurrent_sequences is not None,
            "max_batched_tokens": self.max_batched_tokens is not None,
            "media_domains": bool(self.media_domains),
            "sleep_mode": self.sleep_mode,
            "trust_remote_code": bool(self.trust_remote_code),
            "tool_parser": self.tool_call_parser is not None,
            "reasoning_parser": self.reasoning_parser is not None,
            "chat_template": self.chat_template is not None,
        }
        return frozenset(name for name, is_given in given.items() if is_given)


def offloaded_gib(options: EngineOptions) -> int:
    """Host memory in whole GiB that KV blocks take: part of the server's share of its node, beside its other memory."""
    return math.ceil(options.kv_offload.gib) if options.kv_offload else 0


class CustomEngine(Settings):
    """An engine of your own: what the platform must know of its image."""

    port: _PORT
    """Port of its HTTP API."""
    command: tuple[str, ...] = ()
    """Command of the container. Default: the image's entry point."""
    arguments: tuple[str, ...] = ()
    """Arguments. $(MODEL), $(SERVED_MODEL_NAME), $(TENSOR_PARALLEL) and $(PIPELINE_PARALLEL) stand for the settings of
    the model; MODEL is a path where its weights are mounted."""
    variables: dict[str, str] = {}
    """Environment variables; no secrets."""
    start_path: _PATH
    """Answers 200 once the engine has started; it may refuse connections before."""
    ready_path: _PATH
    """Answers 200 while the engine can serve."""
    live_path: _PATH
    """Answers 200 unless the engine must be restarted."""
    metrics_path: _PATH | None = None
    """Prometheus metrics; default: none."""
    metrics_port: _PORT | None = None
    """Port of the metrics. Default: port."""
    drain_flag: Annotated[str, AfterValidator(matching(r"--?[\w-]+", "a flag, such as --shutdown-timeout"))] | None = (
        None
    )
    """Flag that takes the seconds running requests have after SIGTERM. Default: none; the image itself finishes what
    runs within drain.shutdownTimeoutSeconds and then exits."""

    @model_validator(mode="after")
    def _harmless_variables(self) -> Self:
        bad = [name for name in self.variables if _VARIABLES.fullmatch(name)]
        if bad:
            raise invalid(
                f"variables without {', '.join(bad)}: tokens are secrets of the stack, and development endpoints stay"
                " off",
                f"remove {', '.join(bad)}",
            )
        return self
