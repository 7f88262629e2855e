"""What is known of serving engines: port, health, metrics and flags, so that no component spells a flag by hand."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Engine:
    """Facts of one engine at one version.

    Attributes:
        label: value of `llm-d.ai/engine-type`.
        port: port of the HTTP API.
        health_path: answers 200 once the engine is ready; before, the port refuses connections.
        metrics_path: Prometheus metrics on the same port.
        home: home directory of the image's unprivileged user; caches go to `.cache` in it.
        user, group: ids that user and its group have.
        tensor_parallel_flag, context_flag, memory_flag, revision_flag, served_name_flag, drain_flag: command flags.
        ready_timeout_variable: environment variable that bounds how long the engine itself waits to become ready.
        source: where these facts were read.
    """

    label: str
    port: int
    health_path: str
    metrics_path: str
    home: str
    user: int
    group: int
    tensor_parallel_flag: str
    context_flag: str
    memory_flag: str
    revision_flag: str
    served_name_flag: str
    drain_flag: str
    ready_timeout_variable: str
    source: str


VLLM = Engine(
    label="vllm",
    port=8000,
    health_path="/health",
    metrics_path="/metrics",
    home="/home/vllm",
    user=2000,
    group=0,
    tensor_parallel_flag="--tensor-parallel-size",
    context_flag="--max-model-len",
    memory_flag="--gpu-memory-utilization",
    revision_flag="--revision",
    served_name_flag="--served-model-name",
    drain_flag="--shutdown-timeout",
    ready_timeout_variable="VLLM_ENGINE_READY_TIMEOUT_S",
    source="vLLM 0.33.0: engine/arg_utils.py, envs.py, entrypoints/serve/instrumentator, docs/deployment/docker.md",
)
