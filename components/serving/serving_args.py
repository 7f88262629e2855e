"""What every form of serving is told: what the engine does, and what its pod is. Shared by all serving components."""

from typing import NotRequired, TypedDict

import pulumi

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


class EngineOptionsArgs(TypedDict):
    """What an engine is told to do."""

    model: str
    """Hugging Face repository, or a path in the image."""
    revision: NotRequired[str]
    """Commit of the repository; default: the newest at each start."""
    tensor_parallel: int
    """GPUs that share each layer, all on one node."""
    max_model_len: NotRequired[int]
    """Longest context in tokens; default: what the model states."""
    gpu_memory_utilization: float
    """Share of the GPU's memory for everything the engine does, between 0 and 1."""


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
    """Longest time from container start to ready."""
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
