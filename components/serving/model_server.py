"""One model served over HTTP by replicas of one engine, each on one node."""

from typing import TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Service, ServiceAccount
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.serving.model_server_spec import deployment_spec, disruption_budget_spec, service_spec
from components.serving.pod_parts import object_labels
from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs
from components.specs import Spec
from infra.planning.startup import StartupBudget


class ModelServerArgs(TypedDict):
    """What is served, on what, and how it starts and stops."""

    namespace: pulumi.Input[str]
    """Namespace of all objects."""
    replicas: int
    """Servers."""
    engine: EngineOptionsArgs
    """What the engine does."""
    pod: ServingPodArgs
    """The pod of one server."""


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
        rollout = StartupBudget(args["pod"]["startup_seconds"]).rollout_seconds * args["replicas"]
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
