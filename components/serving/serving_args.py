"""What every form of serving is told: what the engine does, and what its pod is. Shared by all serving components."""

from typing import NotRequired, TypedDict

import pulumi

from components.serving.place_args import ServerPlaceArgs
from components.serving.weights_spec import ModelWeightsMountArgs


class TolerationArgs(TypedDict):
    """A taint the servers bear, beyond nvidia.com/gpu."""

    key: str
    """Taint key."""
    value: NotRequired[str]
    """Taint value, empty by default."""
    effect: str
    """Taint effect."""


class TokenSecretArgs(TypedDict):
    """Where the Hugging Face token is, for a gated model."""

    name: pulumi.Input[str]
    """Name of the Secret in the servers' namespace."""
    key: str
    """Key in it."""


class LoraAdapterArgs(TypedDict):
    """An adapter that is loaded beside the model."""

    name: str
    """Model name by which requests choose it."""
    source: str
    """A path in the container, or a Hugging Face repository."""


class KvOffloadArgs(TypedDict):
    """Host memory that takes KV blocks the GPU has no room for."""

    gib: float
    """GiB for one server, all its GPUs together."""
    backend: str
    """Who moves the blocks: native or lmcache."""


class SpeculativeArgs(TypedDict):
    """Speculative decoding."""

    method: str
    """Method as the engine names it."""
    model: NotRequired[str]
    """Draft model; default: none."""
    tokens: int
    """Tokens proposed at a time."""


class RunAsArgs(TypedDict):
    """The user of an image."""

    user: int
    """User id."""
    group: int
    """Group id, also of the volumes."""
    home: str
    """Folder that user may write."""


class CustomEngineArgs(TypedDict):
    """An engine of one's own: what must be known of its image."""

    port: int
    """Port of its HTTP API."""
    command: NotRequired[list[str]]
    """Command of the container; default: the image's entry point."""
    arguments: NotRequired[list[str]]
    """Arguments; $(MODEL), $(SERVED_MODEL_NAME) and $(TENSOR_PARALLEL) are filled in."""
    variables: NotRequired[dict[str, str]]
    """Environment variables; default: none."""
    start_path: str
    """Answers 200 once the engine has started."""
    ready_path: str
    """Answers 200 while it can serve."""
    live_path: str
    """Answers 200 unless it must be restarted."""
    metrics_path: NotRequired[str]
    """Prometheus metrics; default: none."""
    metrics_port: NotRequired[int]
    """Port of the metrics; default: port."""
    drain_flag: NotRequired[str]
    """Flag that takes the seconds running requests have after SIGTERM; default: none."""


class EngineOptionsArgs(TypedDict):
    """What an engine is told to do. Nothing given means the engine's own default."""

    engine: NotRequired[str]
    """vllm, sglang, tgi, triton-tensorrt-llm, trtllm-serve or custom. Default: vllm."""
    custom: NotRequired[CustomEngineArgs]
    """With engine custom: what must be known of the image."""
    run_as: NotRequired[RunAsArgs]
    """User of the image; default: the engine table's."""
    model: str
    """Hugging Face repository, or a path in the image."""
    revision: NotRequired[str]
    """Commit of the repository; default: the newest at each start."""
    tensor_parallel: int
    """GPUs that share each layer, all on one node."""
    pipeline_parallel: NotRequired[int]
    """Stages, each with some of the layers. Default: 1."""
    nodes: NotRequired[int]
    """Pods of one server, each with an equal part of its GPUs. Default: 1."""
    max_model_len: NotRequired[int]
    """Longest context in tokens; default: what the model states."""
    gpu_memory_utilization: NotRequired[float]
    """Share of the GPU's memory, between 0 and 1; of what and for what depends on the engine (docs/engines.md).
    Default: the engine's own."""
    data_parallel: NotRequired[int]
    """Copies of the model in one server, each on tensor_parallel GPUs of one node. Default: 1."""
    expert_parallel: NotRequired[bool]
    """Whether experts are divided over the GPUs whole."""
    quantization: NotRequired[str]
    """Method of quantisation."""
    kv_cache_dtype: NotRequired[str]
    """Type of the KV cache."""
    kv_cache_gib: NotRequired[float]
    """KV cache of one GPU in GiB; default: measured at the start."""
    prefix_caching: NotRequired[bool]
    """Whether prompts that begin alike share their KV blocks."""
    kv_offload: NotRequired[KvOffloadArgs]
    """Host memory behind the KV cache; added to /dev/shm and so to the memory request and limit."""
    lora_adapters: NotRequired[list[LoraAdapterArgs]]
    """Adapters that are loaded at the start."""
    max_loras: NotRequired[int]
    """Adapters in one batch."""
    max_lora_rank: NotRequired[int]
    """Largest rank of an adapter."""
    speculative: NotRequired[SpeculativeArgs]
    """Speculative decoding."""
    max_queued_requests: NotRequired[int]
    """Requests that may wait, beside those that run, before more are refused. With vllm max_sequences is needed too."""
    max_queued_tokens: NotRequired[int]
    """Prompt tokens that may wait before more are refused."""
    max_sequences: NotRequired[int]
    """Requests in one batch."""
    max_batched_tokens: NotRequired[int]
    """Tokens of one step."""
    media_domains: NotRequired[list[str]]
    """Host names from which an image, a video or a sound that a request names by URL may be fetched. Default: none."""
    sleep_mode: NotRequired[bool]
    """Whether it can give back GPU memory without ending; its HTTP endpoints stay off."""
    trust_remote_code: NotRequired[bool]
    """Whether code from the model's repository may run in the server. Default: no."""
    tool_parser: NotRequired[str]
    """Parser of tool calls."""
    reasoning_parser: NotRequired[str]
    """Parser of reasoning."""
    chat_template: NotRequired[str]
    """Chat template."""
    extra_arguments: NotRequired[list[str]]
    """Arguments beyond these."""


class ServingPodArgs(TypedDict):
    """The pod of one server: image, place, size, and how it starts and stops."""

    image: pulumi.Input[str]
    """Engine image."""
    gpu_resource: NotRequired[str]
    """Extended resource of a GPU, such as nvidia.com/mig-3g.40gb for a slice of one. Default: nvidia.com/gpu."""
    node_pools: list[str]
    """Karpenter NodePools it may run on."""
    spot_allowed: bool
    """Whether it may run on spot capacity."""
    tolerations: NotRequired[list[TolerationArgs]]
    """Taints of those pools, beyond nvidia.com/gpu."""
    startup_seconds: int
    """Longest time from container start to ready; over several nodes, from the start of the last container."""
    pre_stop_seconds: int
    """Sleep before SIGTERM."""
    shutdown_timeout_seconds: int
    """Longest wait for running requests after SIGTERM."""
    cpu: int
    """CPU request in cores."""
    memory_gib: int
    """Memory request and limit in GiB, without /dev/shm."""
    cache_gib: int
    """Disk in GiB for weights and compile cache."""
    shared_memory_gib: int
    """/dev/shm in GiB where several GPUs work together; added to the memory request and limit."""
    token_secret: NotRequired[TokenSecretArgs]
    """Token for a gated model."""
    weights: NotRequired[ModelWeightsMountArgs]
    """Where its weights come from; default: the engine downloads them into its cache at each start."""
    place: NotRequired[ServerPlaceArgs]
    """How far apart its servers stand, whom they yield to, and their compile cache."""
