"""One model that KServe serves."""

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.serving.kserve_models.args import KServeModelArgs
from components.serving.kserve_models.inference_service_spec import (
    inference_service_annotations,
    inference_service_spec,
)
from components.serving.kserve_models.llm_spec import llm_inference_service_spec
from components.serving.kserve_models.policies import llm_selector, picker_policy, server_policy
from components.serving.model_server_spec import exchange_seconds
from components.serving.place_args import RolloutArgs
from components.serving.pod_parts import object_labels, selector_labels
from components.specs import Spec
from infra.catalog.kserve import LLM_PODS

INFERENCE_SERVICE = "InferenceService"
LLM_INFERENCE_SERVICE = "LLMInferenceService"
_VERSIONS = {
    INFERENCE_SERVICE: "serving.kserve.io/v1beta1",
    LLM_INFERENCE_SERVICE: "serving.kserve.io/v1alpha2",
}


class KServeModel(pulumi.ComponentResource):
    """An InferenceService or an LLMInferenceService with the ServiceAccount of its pods, their disruption budget and
    the policy that says who may call them.

    KServe makes everything else of it: Deployments or Knative's revisions, Services, and with an LLMInferenceService
    the endpoint picker and its InferencePool.
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster, past any gateway."""

    def __init__(self, name: str, args: KServeModelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:KServeModel", name, {}, opts)
        kind, labels = args["kind"], object_labels(name, args["engine"])
        metadata: Spec = {"name": name, "namespace": args["namespace"], "labels": labels}
        account = ServiceAccount(
            f"{name}-service-account",
            metadata=metadata,
            automount_service_account_token=False,  # an engine has no business with the Kubernetes API
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._served(name, args, metadata, [account, *self._policies(name, args, metadata)])
        PodDisruptionBudget(
            f"{name}-disruption-budget",
            metadata=metadata,
            spec=budget_spec(name, kind),
            opts=pulumi.ResourceOptions(parent=self),
        )
        host = pulumi.Output.concat("http://", service_name(name, kind), ".", args["namespace"], ".svc")
        # Port of the Service in front of servers; an InferenceService's is 80.
        port = f":{LLM_PODS.http}" if kind == LLM_INFERENCE_SERVICE else ""
        self.url = pulumi.Output.concat(host, port)
        self.register_outputs({"url": self.url})

    def _served(self, name: str, args: KServeModelArgs, metadata: Spec, needs: list[pulumi.Resource]) -> None:
        """The object of KServe's."""
        kind, rollout = args["kind"], rollout_seconds(args)
        single = kind == INFERENCE_SERVICE
        # The provider waits for a custom resource only where it is told what for.
        waits = {"pulumi.com/waitFor": "condition=Ready"}
        annotated: Spec = {
            **metadata,
            "annotations": {**(inference_service_annotations(args) if single else {}), **waits},
        }
        CustomResource(
            f"{name}-{'inference-service' if single else 'llm-inference-service'}",
            api_version=_VERSIONS[kind],
            kind=kind,
            metadata=annotated,
            spec=inference_service_spec(name, args) if single else llm_inference_service_spec(name, args),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=needs,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{rollout}s", update=f"{rollout}s"),
            ),
        )

    def _policies(self, name: str, args: KServeModelArgs, metadata: Spec) -> list[pulumi.Resource]:
        """What must be there before a server is, so that there is no moment without it."""
        inside = pulumi.ResourceOptions(parent=self)
        made: list[pulumi.Resource] = [
            NetworkPolicy(f"{name}-network-policy", metadata=metadata, spec=server_policy(name, args), opts=inside)
        ]
        if args["kind"] == LLM_INFERENCE_SERVICE:
            picker: Spec = {**metadata, "name": f"{name}-picker"}
            made.append(
                NetworkPolicy(
                    f"{name}-picker-network-policy", metadata=picker, spec=picker_policy(name, args), opts=inside
                )
            )
        return made


def rollout_seconds(args: KServeModelArgs) -> int:
    """How long a whole rollout may take, in seconds; prefill servers are exchanged beside the others."""
    surge: RolloutArgs = {"strategy": "surge"}
    most = max(args["replicas"], args["prefill"]["replicas"] if "prefill" in args else 1)
    return exchange_seconds(most, args["pod"], args.get("rollout", surge))


def service_name(name: str, kind: str) -> str:
    """Name of the Service that KServe makes in front of the servers."""
    return f"{name}-predictor" if kind == INFERENCE_SERVICE else f"{name}-kserve-workload-svc"


def budget_spec(name: str, kind: str) -> Spec:
    """`PodDisruptionBudget.spec`: one server at a time; KServe makes none."""
    labels = selector_labels(name) if kind == INFERENCE_SERVICE else llm_selector(name)
    return {
        "maxUnavailable": 1,
        "selector": {"matchLabels": labels},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
