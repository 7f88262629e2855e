"""What an engine is called with: arguments and environment variables, the same for every form of serving."""

from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs
from components.serving.weights_spec import weight_variables
from components.specs import Spec
from infra.catalog.engines import VLLM


def gpus_of(engine: EngineOptionsArgs) -> int:
    """GPUs of one pod."""
    return engine["tensor_parallel"]


def engine_arguments(name: str, engine: EngineOptionsArgs, pod: ServingPodArgs) -> list[str]:
    """Arguments of the image's entry point.

    Args:
        name: the model name in the API.
    """
    weights = pod.get("weights")
    flags = {
        VLLM.served_name_flag: name,
        VLLM.revision_flag: None if weights else engine.get("revision"),  # a path has none
        VLLM.tensor_parallel_flag: engine["tensor_parallel"],
        VLLM.context_flag: engine.get("max_model_len"),
        VLLM.memory_flag: engine["gpu_memory_utilization"],
        VLLM.drain_flag: pod["shutdown_timeout_seconds"],
    }
    given = [f"{flag}={value}" for flag, value in flags.items() if value is not None]
    return [weights["model"], *given, *weights.get("flags", [])] if weights else [engine["model"], *given]


def engine_variables(engine: EngineOptionsArgs, pod: ServingPodArgs) -> list[Spec]:
    """Environment variables of the engine's container."""
    del engine  # every variable of today follows from the pod
    variables: list[Spec] = [
        {"name": "HOME", "value": VLLM.home},
        # The engine's own patience, in step with the startup probe's.
        {"name": VLLM.ready_timeout_variable, "value": str(pod["startup_seconds"])},
    ]
    if "weights" in pod:
        variables += weight_variables(pod["weights"])
    # What is mounted was downloaded by somebody else: the engine has no use for the token.
    return variables if "weights" in pod else variables + token_variables(pod)


def token_variables(pod: ServingPodArgs) -> list[Spec]:
    """The Hugging Face token, for what downloads a gated model."""
    secret = pod.get("token_secret")
    if not secret:
        return []
    reference = {"name": secret["name"], "key": secret["key"]}
    return [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}]
