"""One model that KServe serves."""

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.serving.kserve_models.args import KServeModelArgs
from components.serving.kserve_models.inference_service_spec import (
    inference_service_annotations,
    inference_service_spec,
)
from components.serving.kserve_models.llm_spec import llm_inference_service_spec
from components.serving.pod_parts import object_labels, selector_labels
from components.specs import Spec
from infra.catalog.kserve import HUGGING_FACE_SERVER
from infra.planning.startup import StartupBudget

INFERENCE_SERVICE = "InferenceService"
LLM_INFERENCE_SERVICE = "LLMInferenceService"
_VERSIONS = {
    INFERENCE_SERVICE: "serving.kserve.io/v1beta1",
    LLM_INFERENCE_SERVICE: "serving.kserve.io/v1alpha2",
}
# Port of the workload's Service of an LLMInferenceService (KServe 0.20.0, pkg/controller/v1alpha2/llmisvc/router.go).
_WORKLOAD_PORT = 8000


class KServeModel(pulumi.ComponentResource):
    """An InferenceService or an LLMInferenceService with the ServiceAccount of its pods and their disruption budget.

    KServe makes everything else of it: Deployments or Knative's revisions, Services, and with an LLMInferenceService
    the endpoint picker and its InferencePool.
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster, past any gateway."""

    def __init__(self, name: str, args: KServeModelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:KServeModel", name, {}, opts)
        kind = args["kind"]
        metadata: Spec = {"name": name, "namespace": args["namespace"], "labels": object_labels(name)}
        account = ServiceAccount(
            f"{name}-service-account",
            metadata=metadata,
            automount_service_account_token=False,  # an engine has no business with the Kubernetes API
            opts=pulumi.ResourceOptions(parent=self),
        )
        rollout = StartupBudget(args["pod"]["startup_seconds"]).rollout_seconds * max(1, args["replicas"])
        of_kind = inference_service_annotations(args) if kind == INFERENCE_SERVICE else {}
        # The provider waits for a custom resource only where it is told what for.
        annotations = {**of_kind, "pulumi.com/waitFor": "condition=Ready"}
        make = inference_service_spec if kind == INFERENCE_SERVICE else llm_inference_service_spec
        CustomResource(
            f"{name}-{'inference-service' if kind == INFERENCE_SERVICE else 'llm-inference-service'}",
            api_version=_VERSIONS[kind],
            kind=kind,
            metadata={**metadata, "annotations": annotations},
            spec=make(name, args),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{rollout}s", update=f"{rollout}s"),
            ),
        )
        PodDisruptionBudget(
            f"{name}-disruption-budget",
            metadata=metadata,
            spec=budget_spec(name, kind),
            opts=pulumi.ResourceOptions(parent=self),
        )
        host = pulumi.Output.concat("http://", service_name(name, kind), ".", args["namespace"], ".svc")
        self.url = pulumi.Output.concat(host, _suffix(args))
        self.register_outputs({"url": self.url})


def service_name(name: str, kind: str) -> str:
    """Name of the Service that KServe makes in front of the servers."""
    return f"{name}-predictor" if kind == INFERENCE_SERVICE else f"{name}-kserve-workload-svc"


def budget_spec(name: str, kind: str) -> Spec:
    """`PodDisruptionBudget.spec`: one server at a time; KServe makes none.

    The pods of an LLMInferenceService have KServe's own labels, prefill and decode alike.
    """
    own = {"app.kubernetes.io/name": name, "kserve.io/component": "workload"}
    labels = selector_labels(name) if kind == INFERENCE_SERVICE else own
    return {
        "maxUnavailable": 1,
        "selector": {"matchLabels": labels},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def _suffix(args: KServeModelArgs) -> str:
    """What of the URL stands after the host."""
    if args["kind"] == LLM_INFERENCE_SERVICE:
        return f":{_WORKLOAD_PORT}"
    return HUGGING_FACE_SERVER.openai_prefix if args.get("runtime") == "huggingface" else ""
