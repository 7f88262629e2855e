"""What a model that KServe serves is told."""

from typing import NotRequired, TypedDict

import pulumi

from components.serving.place_args import ClientsArgs, RolloutArgs
from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs


class PrefillArgs(TypedDict):
    """Servers that only read prompts."""

    replicas: int
    """Servers."""
    engine: EngineOptionsArgs
    """What their engine does."""
    pod: ServingPodArgs
    """The pod of one of them."""


class AdapterArgs(TypedDict):
    """A LoRA adapter."""

    name: str
    """Model name by which requests choose it."""
    uri: str
    """Where it is: hf://owner/repository:revision or pvc://claim/path."""


class LoraArgs(TypedDict):
    """Adapters that KServe fetches."""

    adapters: list[AdapterArgs]
    """The adapters."""
    max_rank: NotRequired[int]
    """Largest rank; default: the engine's own."""
    max_adapters: NotRequired[int]
    """Adapters in one batch; default: the engine's own."""


class GatewayArgs(TypedDict):
    """A Gateway of the Gateway API."""

    namespace: str
    """Its namespace."""
    name: str
    """Its name."""


class KServeModelArgs(TypedDict):
    """What KServe serves, on what, and how it starts and stops."""

    namespace: pulumi.Input[str]
    """Namespace of all objects."""
    kind: str
    """InferenceService or LLMInferenceService."""
    mode: NotRequired[str]
    """Standard or Knative; required with InferenceService."""
    runtime: NotRequired[str]
    """huggingface for KServe's own Hugging Face server; default: the engine itself."""
    replicas: int
    """Servers; in mode Knative those that a revision begins with."""
    engine: EngineOptionsArgs
    """What the engine does."""
    pod: ServingPodArgs
    """The pod of one server."""
    min_replicas: NotRequired[int]
    """Fewest servers in mode Knative; default: `replicas`."""
    max_replicas: NotRequired[int]
    """Most servers in mode Knative; default: `replicas`."""
    container_concurrency: NotRequired[int]
    """Requests of one server at a time, in mode Knative; default: no limit."""
    canary_traffic_percent: NotRequired[int]
    """Share in % of the newest revision, in mode Knative; default: 100, always written."""
    prefill: NotRequired[PrefillArgs]
    """Servers for prompts only, with LLMInferenceService."""
    lora: NotRequired[LoraArgs]
    """Adapters, with LLMInferenceService."""
    scheduler_replicas: NotRequired[int]
    """Endpoint pickers of an LLMInferenceService. Default: 1."""
    scheduler_cpu: NotRequired[int]
    """CPU request of one picker in cores. Default: 1."""
    scheduler_memory_gib: NotRequired[int]
    """Memory request and limit of one picker in GiB. Default: 2."""
    gateway: NotRequired[GatewayArgs]
    """Gateway on which KServe makes a route of an LLMInferenceService. Default: no route."""
    rollout: NotRequired[RolloutArgs]
    """How a new version replaces the old one, in mode Standard; the others have no choice. Default: surge, one at
    once."""
    clients: NotRequired[ClientsArgs]
    """Who may reach the servers; in mode Knative only Knative may, whoever asked it. Default: the gateway's namespace,
    for metrics the monitoring namespace, and pods that say they are clients of it."""
