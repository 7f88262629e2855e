"""One model served over HTTP by groups of pods, each group one engine over several nodes."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Service, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.serving.model_server_spec import service_spec
from components.serving.multi_node.spec import (
    API_VERSION,
    disruption_budget_spec,
    policy_spec,
    rollout_seconds,
    set_name,
    set_spec,
)
from components.serving.place_args import ClientsArgs, RolloutArgs
from components.serving.pod_parts import object_labels
from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs
from components.specs import Spec

# Source: pulumi-kubernetes 4, "Await logic for custom resources". Without it the provider takes the object for ready.
_WAIT = {"pulumi.com/waitFor": "condition=Available"}


class GroupFabricArgs(TypedDict):
    """How the pods of a group talk."""

    transport: str
    """efa: RDMA. tcp: sockets of the pod network."""
    instance_type: str
    """EC2 instance type of its nodes, such as p5.48xlarge; where several are possible, one of equal EFA interfaces."""


class MultiNodeModelServerArgs(TypedDict):
    """What is served, on what, and how it starts and stops."""

    namespace: pulumi.Input[str]
    """Namespace of all objects. Over EFA its Pod Security level must be privileged: pods lock memory."""
    replicas: int
    """Groups, each one server."""
    engine: EngineOptionsArgs
    """What the engine does; `nodes` is the size of a group. Only vllm."""
    pod: ServingPodArgs
    """The pod of one node: its part of CPU, memory and GPUs."""
    fabric: GroupFabricArgs
    """How the pods of a group talk."""
    several_zones: NotRequired[bool]
    """Whether its pools stand in several zones; then each group is kept in one. Default: False."""
    rollout: NotRequired[RolloutArgs]
    """How groups are exchanged. Default: surge, one at once."""
    clients: NotRequired[ClientsArgs]
    """Who may reach the leaders. Default: gateway, monitoring, and pods that say they are clients of it."""


class MultiNodeModelServer(pulumi.ComponentResource):
    """A LeaderWorkerSet of an engine with Service, ServiceAccount, PodDisruptionBudget and NetworkPolicy.

    Needs the LeaderWorkerSet operator. The loss of one pod restarts its whole group.
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster."""

    def __init__(self, name: str, args: MultiNodeModelServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:MultiNodeModelServer", name, {}, opts)
        metadata: Spec = {"name": name, "namespace": args["namespace"], "labels": object_labels(name, args["engine"])}
        inside = pulumi.ResourceOptions(parent=self)
        account = ServiceAccount(
            f"{name}-service-account",
            metadata=metadata,
            automount_service_account_token=False,  # an engine has no business with the Kubernetes API
            opts=inside,
        )
        policy = NetworkPolicy(f"{name}-network-policy", metadata=metadata, spec=policy_spec(name, args), opts=inside)
        rollout = f"{rollout_seconds(args)}s"
        groups = CustomResource(
            f"{name}-groups",
            api_version=API_VERSION,
            kind="LeaderWorkerSet",
            metadata={**metadata, "name": set_name(name), "annotations": _WAIT},
            spec=set_spec(name, args),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, policy],
                custom_timeouts=pulumi.CustomTimeouts(create=rollout, update=rollout),
            ),
        )
        budget = disruption_budget_spec(name)
        PodDisruptionBudget(f"{name}-disruption-budget", metadata=metadata, spec=budget, opts=inside)
        service = Service(
            f"{name}-service",
            metadata=metadata,
            spec=service_spec(name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[groups]),
        )
        self.url = pulumi.Output.concat("http://", service.metadata["name"], ".", service.metadata["namespace"], ".svc")
        self.register_outputs({"url": self.url})
