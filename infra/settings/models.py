"""Models to serve: which model, how it is cut over GPUs, where it may run and how it starts and stops."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictFloat, model_validator

from infra.catalog.engines import VLLM, engine
from infra.catalog.engines.records import ENGINE_NAMES, EngineName
from infra.catalog.models import ModelShape, model_shapes
from infra.planning.group_size import GroupSize
from infra.planning.host_share import ADAPTER_GIB_PER_RANK, DEFAULT_LORA_RANK
from infra.settings.canary import CanarySettings
from infra.settings.engine_options import CustomEngine, EngineOptions
from infra.settings.gateway import ExposeSettings
from infra.settings.kserve import KServeModelSettings
from infra.settings.multi_node import GroupSettings
from infra.settings.rollout import Rollout
from infra.settings.server_pods import Clients, CompileCache, Spread
from infra.settings.values import (
    Count,
    DnsLabel,
    Flag,
    ObjectName,
    Positive,
    Settings,
    did_you_mean,
    invalid,
    matching,
)
from infra.versions import VLLM_IMAGE

Traffic = Literal["interactive", "interruptible"]


def _check_shape(text: str) -> str:
    if text not in model_shapes():
        raise invalid(
            f"a model of the catalogue ({len(model_shapes())} known)",
            did_you_mean(text, model_shapes(), "leave shapeOf out and give checkpointGib"),
        )
    return text


# The grammar of an image reference (distribution/reference), with a tag or a digest required.
_IMAGE = re.compile(
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?"
)


def _check_image(text: str) -> str:
    if not text:
        raise invalid(
            "an image; engine custom has none of its own",
            "write image with a registry, a name and a version tag, and beside it custom: {port, startPath, readyPath,"
            " livePath}, which say how to reach it",
        )
    found = _IMAGE.fullmatch(text)
    if not found or not (found["tag"] or found["digest"]) or (found["tag"] == ":latest" and not found["digest"]):
        raise invalid("an image with a version tag or a digest", f'write it like "{VLLM_IMAGE}"')
    return text


ModelName = Annotated[
    str,
    AfterValidator(
        matching(r"[A-Za-z0-9./][A-Za-z0-9._/-]*", "a Hugging Face repository, such as Qwen/Qwen3-8B, or a path")
    ),
]


class Drain(Settings):
    """How a server stops: three strictly nested numbers (see `infra/planning/drain.py`)."""

    pre_stop_seconds: Positive = 15
    """Sleep before SIGTERM, while endpoints are removed; vLLM stays healthy and would abort new requests after it.
    Default: KServe's LLM template."""
    shutdown_timeout_seconds: Positive = 90
    """`--shutdown-timeout`: longest wait for running requests; vLLM's own default 0 aborts them all. State the longest
    generation you serve. Default: what still fits the two minutes of a spot interruption."""


class Resources(Settings):
    """CPU and memory of one server. What is not given is the server's share of the smallest node that can hold it."""

    cpu: Positive | None = None
    """CPU request in cores."""
    memory_gib: Positive | None = None
    """Memory request and limit in GiB."""


class ModelSettings(Settings):
    """One model: what serves it, on what, how it starts and stops."""

    name: ObjectName
    """Name of the Deployment and the Service, and the model name in the API."""
    model: ModelName
    """Hugging Face repository, or a path the image holds."""
    revision: str | None = None
    """Commit of the repository; without it the server takes what is newest at each start."""
    shape_of: Annotated[str, AfterValidator(_check_shape)] | None = None
    """A model of the catalogue with the same shape, for a fine-tune; default: `model` itself where it is known."""
    checkpoint_gib: Annotated[StrictFloat, Field(gt=0, allow_inf_nan=False)] | None = None
    """Size of the checkpoint in GiB, needed where the catalogue does not know the model."""
    gated: Flag = False
    """Whether downloading needs the Hugging Face token (the secret `gpu-platform:huggingFaceToken`)."""
    weights: ObjectName | None = None
    """Store under storage.weights it loads from; none means that each server downloads into its own node."""
    namespace: DnsLabel = "models"
    """Namespace it runs in."""
    engine: EngineName = "vllm"
    """Serving engine. custom: an image of your own, described under `custom`."""
    image: Annotated[str, AfterValidator(_check_image)] = VLLM.image
    """Engine image. Default: the one whose version the engine table is of; custom has none."""
    engine_options: EngineOptions = EngineOptions()
    """What the engine is told beyond model and parallelism."""
    custom: CustomEngine | None = None
    """With engine custom: what the platform must know of the image."""
    traffic: Traffic
    """interactive: never on spot. interruptible: may run on spot and be asked again."""
    node_pools: tuple[ObjectName, ...] = Field(min_length=1)
    """Pools it may run on."""
    replicas: Positive = 1
    """Servers at start."""
    tensor_parallel: Positive = 1
    """GPUs of one server, all on one node."""
    nodes: Positive = 1
    """Nodes of one server. More than 1: a LeaderWorkerSet with as many pods a server, each with an equal part of its
    GPUs, in place of a Deployment."""
    pipeline_parallel: Positive = 1
    """Stages of one server, each with some of the layers; over several nodes this, or engineOptions.dataParallel, is a
    multiple of `nodes`."""
    group: GroupSettings = GroupSettings()
    """Choices of a server with `nodes` above 1."""
    mig: str | None = None
    """MIG profile of one server, such as 3g.40gb. Default: the profile of its pools where they have only one."""
    max_model_len: Positive | None = None
    """Longest context in tokens; default: what the model states."""
    gpu_memory_utilization: Annotated[StrictFloat, Field(gt=0, lt=1)] = 0.92
    """Share of the whole GPU memory for everything vLLM does. Default: vLLM 0.33's own."""
    startup_seconds: Positive = 1800
    """Time a server may take from container start to ready: download, load, compile; one over several nodes, from the
    start of its last container. Default: what KServe's vLLM runtime grants (60 probes of 30 s)."""
    shared_memory_gib: Count = 2
    """/dev/shm in GiB where tensorParallel > 1; counts as the container's memory. Default: vLLM's Kubernetes guide."""
    expose: ExposeSettings | None = None
    """A load balancer of its own, the simple choice beside `gateway`."""
    kserve: KServeModelSettings | None = None
    """KServe serves it instead of a Deployment of ours."""
    canary: CanarySettings | None = None
    """A second version that takes over step by step."""
    drain: Drain = Drain()
    """How it stops."""
    resources: Resources = Resources()
    """CPU and memory."""
    rollout: Rollout = Rollout()
    """How a new version replaces the old one."""
    spread: Spread = Spread()
    """How far apart its servers stand."""
    compile_cache: CompileCache = CompileCache()
    """Where the engine keeps what it has compiled."""
    clients: Clients = Clients()
    """Who may reach its servers beside the gateway and the monitor."""
    priority_class: ObjectName | None = None
    """PriorityClass of its pods, one that is there. Default: gpu-platform-interactive or gpu-platform-batch, as
    `traffic` says; where GPUs are short, an interactive server takes the place of a batch one."""

    @model_validator(mode="before")
    @classmethod
    def _image_of_engine(cls, raw: Any) -> Any:  # what pydantic was given, not yet looked at
        """The table's image for the engine, where none is given; an unknown engine is said elsewhere."""
        if isinstance(raw, dict) and "image" not in raw and raw.get("engine", VLLM.name) in ENGINE_NAMES:
            return {**raw, "image": engine(raw.get("engine", VLLM.name)).image}
        return raw

    @property
    def gpus(self) -> int:
        """GPUs of one server on each of its nodes."""
        return self.size.gpus_per_node

    @property
    def size(self) -> GroupSize:
        """How one server is cut over GPUs and nodes."""
        return GroupSize(self.nodes, self.tensor_parallel, self.pipeline_parallel, self.engine_options.data_parallel)

    @property
    def exchanged_at_once(self) -> int:
        """Servers that a rollout exchanges at once: a controller starts no more new ones than there are to be."""
        return min(self.rollout.at_once, self.replicas)

    @property
    def shape(self) -> ModelShape | None:
        """Shape of the model, None where the catalogue does not know it."""
        return model_shapes().get(self.shape_of or self.model)

    @property
    def known_checkpoint_gib(self) -> float | None:
        """Size of the checkpoint in GiB: as given, else from the catalogue, else None."""
        if self.checkpoint_gib is not None:
            return float(self.checkpoint_gib)
        return self.shape.checkpoint_gib if self.shape else None

    @property
    def known_draft_gib(self) -> float | None:
        """Size in GiB of the draft model that servers download: as given, else from the catalogue, else None. 0 where
        there is none, or where the image or a store holds it."""
        draft = self.engine_options.speculative
        if draft is None or draft.model is None or draft.model.startswith("/"):
            return 0.0
        if draft.checkpoint_gib is not None:
            return draft.checkpoint_gib
        shape = model_shapes().get(draft.model)
        return shape.checkpoint_gib if shape else None

    @property
    def download_gib(self) -> float:
        """What a server without a store downloads, in GiB: checkpoint, draft model and adapters, as far as known."""
        rank = self.engine_options.max_lora_rank or DEFAULT_LORA_RANK
        adapters = [item for item in self.engine_options.lora_adapters if not item.source.startswith("/")]
        sizes = [item.checkpoint_gib or ADAPTER_GIB_PER_RANK * rank for item in adapters]
        return (self.known_checkpoint_gib or 0.0) + (self.known_draft_gib or 0.0) + sum(sizes)
