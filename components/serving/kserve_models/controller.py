"""KServe: its controllers, CRDs and configuration."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace
from pulumi_kubernetes.helm.v3 import Release

from components.serving.kserve_models.args import GatewayArgs
from components.serving.kserve_models.values import (
    CONFIGURATION,
    NAMESPACE,
    configuration_data,
    llm_resources_values,
    namespace_spec,
    resources_values,
    runtime_configs_values,
)
from components.specs import Spec


class KServeChartsArgs(TypedDict):
    """KServe's charts."""

    registry: str
    """OCI address that the charts' names are appended to."""


class KServeOperatorArgs(TypedDict):
    """Which KServe, and for what."""

    version: str
    """Version of charts and images, such as v0.20.0."""
    charts: NotRequired[KServeChartsArgs]
    """Where its charts are. Default: none, only the configuration; KServe is there already."""
    inference_services: bool
    """Whether InferenceServices are served."""
    llm_inference_services: bool
    """Whether LLMInferenceServices are served."""
    default_mode: str
    """Mode of an InferenceService that says none: Standard or Knative."""
    pool_definitions: bool
    """Whether KServe's chart brings the CRDs of InferencePool; not where a gateway's releases do."""
    gateway: NotRequired[GatewayArgs]
    """Gateway that routes of LLMInferenceServices name. Default: none."""


class KServeOperator(pulumi.ComponentResource):
    """The releases that the wanted kinds need, in order: CRDs, controllers, templates; and their configuration.

    Controllers see the end of every model: models depend on this component.
    """

    def __init__(self, name: str, args: KServeOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:KServeOperator", name, {}, opts)
        self._name, self._args = name, args
        space = Namespace(f"{name}-namespace", metadata=namespace_spec(), opts=pulumi.ResourceOptions(parent=self))
        labels = {"app.kubernetes.io/part-of": "gpu-platform"}
        configuration = ConfigMap(
            f"{name}-configuration",
            metadata={"name": CONFIGURATION, "namespace": NAMESPACE, "labels": labels},
            data=configuration_data(args["version"], args["default_mode"], _gateway(args)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[space]),
        )
        self._last: list[pulumi.Resource] = [configuration]
        if "charts" in args:
            self._releases(args["charts"]["registry"])
        self.register_outputs({})

    def _releases(self, registry: str) -> None:
        """One after the other: two of the charts of CRDs hold the same CRD, and each leaves out what the other has
        made only if it finds it there."""
        both = self._args["inference_services"]
        if both:
            self._release(registry, "crd", "kserve-crd", {})
        if self._args["llm_inference_services"]:
            self._release(registry, "llm-crd", "kserve-llmisvc-crd", {})
        if both:
            self._release(registry, "resources", "kserve-resources", resources_values(shared=True))
        if self._args["llm_inference_services"]:
            values = llm_resources_values(shared=not both, pool_definitions=self._args["pool_definitions"])
            self._release(registry, "llm-resources", "kserve-llmisvc-resources", values)
            self._release(registry, "runtime-configs", "kserve-runtime-configs", runtime_configs_values())

    def _release(self, registry: str, suffix: str, chart: str, values: Spec) -> None:
        release = Release(
            f"{self._name}-{suffix}",
            name=chart,
            chart=f"{registry}/{chart}",
            version=self._args["version"],
            namespace=NAMESPACE,
            values=values,
            atomic=True,
            timeout=600,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(self._last)),
        )
        self._last = [release]


def _gateway(args: KServeOperatorArgs) -> str:
    gateway = args.get("gateway")
    return f"{gateway['namespace']}/{gateway['name']}" if gateway else f"{NAMESPACE}/kserve-ingress-gateway"
