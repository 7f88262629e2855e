"""One model served over HTTP by replicas of one engine, each on one node."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import PersistentVolumeClaim, Service, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.serving.compile_cache_spec import cache_claim_spec
from components.serving.model_server_spec import (
    deployment_spec,
    disruption_budget_spec,
    policy_spec,
    rollout_seconds,
    service_spec,
)
from components.serving.place_args import ClientsArgs, RolloutArgs
from components.serving.pod_parts import object_labels
from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs
from components.specs import Spec


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
    rollout: NotRequired[RolloutArgs]
    """How a new version replaces the old one. Default: surge, one at once."""
    clients: NotRequired[ClientsArgs]
    """Who may reach the servers, beside their own nodes. Default: the gateway's namespace, for metrics the monitoring
    namespace, and pods that say they are clients of it."""


class ModelServer(pulumi.ComponentResource):
    """A Deployment of an engine with its Service, ServiceAccount, PodDisruptionBudget and NetworkPolicy.

    Replicas are replaced one by one, a new one first, each only when it is ready, unless `rollout` says otherwise; a
    server that stops finishes the requests it has.
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster."""

    def __init__(self, name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:ModelServer", name, {}, opts)
        metadata: Spec = {"name": name, "namespace": args["namespace"], "labels": object_labels(name, args["engine"])}
        account = ServiceAccount(
            f"{name}-service-account",
            metadata=metadata,
            automount_service_account_token=False,  # an engine has no business with the Kubernetes API
            opts=pulumi.ResourceOptions(parent=self),
        )
        needed: list[pulumi.Resource] = [account, *self._confined(name, args, metadata)]
        rollout = rollout_seconds(args)
        deployment = Deployment(
            f"{name}-deployment",
            metadata=metadata,
            spec=deployment_spec(name, args),
            # The provider's own patience is ten minutes; a rollout replaces replicas one after the other.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=needed,
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

    def _confined(self, name: str, args: ModelServerArgs, metadata: Spec) -> list[pulumi.Resource]:
        """What must be there before a server is: no moment without its policy, and the volume it writes to."""
        inside = pulumi.ResourceOptions(parent=self)
        made: list[pulumi.Resource] = [
            NetworkPolicy(f"{name}-network-policy", metadata=metadata, spec=policy_spec(name, args), opts=inside)
        ]
        cache = args["pod"].get("place", {}).get("compile_cache")
        if cache and "storage_class" in cache and "claim_name" in cache:
            claim: Spec = {**metadata, "name": cache["claim_name"]}
            made.append(
                PersistentVolumeClaim(f"{name}-cache-claim", metadata=claim, spec=cache_claim_spec(cache), opts=inside)
            )
        return made
