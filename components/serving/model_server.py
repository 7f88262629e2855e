"""One model served over HTTP by replicas of one engine, each on one node."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Service, ServiceAccount
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.serving.model_server_spec import (
    deployment_spec,
    disruption_budget_spec,
    object_labels,
    service_spec,
)
from components.serving.weights_spec import ModelWeightsMountArgs
from components.specs import Spec
from infra.planning.startup import StartupBudget


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


class ModelServerArgs(TypedDict):
    """What is served, on what, and how it starts and stops."""

    namespace: pulumi.Input[str]
    """Namespace of all objects."""
    model: str
    """Hugging Face repository, or a path in the image."""
    revision: NotRequired[str]
    """Commit of the repository; default: the newest at each start."""
    image: pulumi.Input[str]
    """Engine image."""
    replicas: int
    """Servers."""
    tensor_parallel: int
    """GPUs of one server, all on one node."""
    gpu_resource: NotRequired[str]
    """Extended resource of a GPU, such as nvidia.com/mig-3g.40gb for a slice of one. Default: nvidia.com/gpu."""
    max_model_len: NotRequired[int]
    """Longest context in tokens; default: what the model states."""
    gpu_memory_utilization: float
    """Share of the GPU's memory for everything the engine does, between 0 and 1."""
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
    """/dev/shm in GiB where tensor_parallel is more than 1; added to the memory request and limit."""
    token_secret: NotRequired[TokenSecretArgs]
    """Token for a gated model."""
    weights: NotRequired[ModelWeightsMountArgs]
    """Where its weights come from; default: the engine downloads them into its cache at each start."""


class ModelServer(pulumi.ComponentResource):
    """A Deployment of an engine with its Service, ServiceAccount and PodDisruptionBudget.

    Replicas are replaced one by one, a new one first, each only when it is ready; a server that stops finishes the
    requests it has.
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster."""

    def __init__(self, name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:ModelServer", name, {}, opts)
        metadata: Spec = {"name": name, "namespace": args["namespace"], "labels": object_labels(name)}
        account = ServiceAccount(
            f"{name}-service-account",
            metadata=metadata,
            automount_service_account_token=False,  # an engine has no business with the Kubernetes API
            opts=pulumi.ResourceOptions(parent=self),
        )
        rollout = StartupBudget(args["startup_seconds"]).rollout_seconds * args["replicas"]
        deployment = Deployment(
            f"{name}-deployment",
            metadata=metadata,
            spec=deployment_spec(name, args),
            # The provider's own patience is ten minutes; a rollout replaces replicas one after the other.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{rollout}s", update=f"{rollout}s"),
            ),
        )
        PodDisruptionBudget(
            f"{name}-disruption-budget",
            metadata=metadata,
            spec=disruption_budget_spec(name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        service = Service(
            f"{name}-service",
            metadata=metadata,
            spec=service_spec(name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.url = pulumi.Output.concat("http://", service.metadata["name"], ".", service.metadata["namespace"], ".svc")
        self.register_outputs({"url": self.url})
