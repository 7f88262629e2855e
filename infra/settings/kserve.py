"""Models that KServe serves, and what is chosen for KServe as a whole."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictInt

from infra.settings.values import Count, DnsLabel, Flag, ObjectName, Positive, Settings, matching

Kind = Literal["InferenceService", "LLMInferenceService"]
Mode = Literal["Standard", "Knative"]
Runtime = Literal["vllm", "tgi", "huggingface"]

# Schemes that KServe 0.20.0 takes for an adapter (pkg/controller/v1alpha2/llmisvc/workload_lora.go); s3:// is left out,
# because its credentials would have to be a Secret of keys.
_ADAPTER = re.compile(r"(hf://[\w.-]+/[\w.-]+(:[\w.-]+)?|pvc://[a-z0-9.-]+(/[\w./-]+)?)")

AdapterUri = Annotated[
    str, AfterValidator(matching(_ADAPTER.pattern, "hf://owner/repository[:revision] or pvc://claim/path"))
]


class Adapter(Settings):
    """A LoRA adapter."""

    name: ObjectName
    """Model name by which requests choose it."""
    uri: AdapterUri
    """Where it is: hf://owner/repository:revision, downloaded at each start, or pvc://claim/path, mounted."""


class Lora(Settings):
    """Adapters of an LLMInferenceService; KServe fetches them and tells the engine."""

    adapters: tuple[Adapter, ...] = Field(min_length=1)
    """The adapters."""
    max_rank: Positive | None = None
    """Largest rank among them; default: the engine's own, 16 with vLLM."""
    max_adapters: Positive | None = None
    """Adapters in one batch; default: the engine's own, 1 with vLLM."""


class Prefill(Settings):
    """Servers that only read prompts; the model's own then only decode. KV caches go from one to the other by NIXL."""

    replicas: Positive = 1
    """Prefill servers."""
    tensor_parallel: Positive | None = None
    """GPUs of one prefill server, all on one node; default: the model's own tensorParallel."""


class Scheduler(Settings):
    """The endpoint picker of an LLMInferenceService: it sends a request to the server that fits it best."""

    replicas: Positive = 1
    """Pickers. KServe's own default is one; its Deployment is recreated at each change."""
    cpu: Annotated[Positive, Field(le=6)] = 1
    """CPU request of one in cores; KServe's template limits it to 6. Default: what the template asks for."""
    memory_gib: Positive = 2
    """Memory request and limit of one in GiB. Default: what KServe's template asks for."""


class KServeModelSettings(Settings):
    """How KServe serves a model."""

    kind: Kind = "InferenceService"
    """InferenceService: servers behind one Service. LLMInferenceService: with an endpoint picker, and prefill and
    decode apart where asked for."""
    mode: Mode | None = None
    """Required with InferenceService, and always written: KServe's chart and KServe's code have different defaults.
    Standard: a Deployment. Knative: revisions, scaling by requests, canary by the field."""
    runtime: Runtime | None = None
    """Server of an InferenceService. vllm, tgi: the model's engine. huggingface: KServe's own Hugging Face server, with
    vLLM inside; its image is of KServe's version, and it takes no engineOptions. Default: the model's engine."""
    canary_traffic_percent: Annotated[StrictInt, Field(ge=0, le=100)] | None = None
    """Share of the traffic in % that the newest revision gets; the rest stays with the one before. Only in mode
    Knative: elsewhere KServe ignores it in silence. Default: 100, once it is ready; always written."""
    min_replicas: Count | None = None
    """Fewest servers, in mode Knative; 0 lets go of the last one, and a first request then waits for a whole start.
    A revision begins with the model's `replicas`. Default: as many."""
    max_replicas: Positive | None = None
    """Most servers, in mode Knative. Default: the model's `replicas`."""
    container_concurrency: Positive | None = None
    """Requests of one server at a time, in mode Knative; more wait in Knative's queue. It is also what Knative scales
    by. Default: none, the engine batches as many as it can."""
    prefill: Prefill | None = None
    """Servers for prompts only; with LLMInferenceService."""
    lora: Lora | None = None
    """Adapters; with LLMInferenceService."""
    scheduler: Scheduler = Scheduler()
    """The endpoint picker of an LLMInferenceService."""
    route: Flag = False
    """Whether KServe makes an HTTPRoute /<namespace>/<name>/v1/... of an LLMInferenceService on `kserve.gateway`.
    Default: no, the gateway's own routes say what is reachable."""


class GatewayReference(Settings):
    """A Gateway of the Gateway API."""

    namespace: DnsLabel
    """Its namespace."""
    name: ObjectName
    """Its name."""


class KServeSettings(Settings):
    """What is chosen for KServe as a whole. It is installed when a model asks for it."""

    gateway: GatewayReference | None = None
    """Gateway that routes of LLMInferenceServices name. Without it no model may set `route`."""
