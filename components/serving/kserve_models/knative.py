"""Knative Serving, for models in mode Knative."""

from typing import TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release

from components.serving.kserve_models.knative_spec import (
    NAMESPACE,
    OPERATOR_NAMESPACE,
    knative_operator_values,
    knative_serving_spec,
)
from components.specs import Spec


class KnativeOperatorArgs(TypedDict):
    """Chart of Knative's operator; its CRDs are part of it."""

    chart: str
    """Name of the chart."""
    repository: str
    """URL of the repository."""
    version: str
    """Version, such as v1.21.1."""


class KnativeServingArgs(TypedDict):
    """Which Knative, and for what."""

    operator: KnativeOperatorArgs
    """Its operator. Unused where the operator is there already."""
    install_operator: bool
    """Whether the operator is installed."""
    version: str
    """Version of Knative Serving, such as 1.21.1; one that the operator carries."""
    images: list[str]
    """Images of the models in mode Knative."""


class KnativeServing(pulumi.ComponentResource):
    """Knative's operator and one KnativeServing, private to the cluster, that takes the pods of model servers."""

    def __init__(self, name: str, args: KnativeServingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:KnativeServing", name, {}, opts)
        self._name = name
        needs: list[pulumi.Resource] = [self._namespace("namespace", NAMESPACE)]
        if args["install_operator"]:
            needs.append(self._operator(args["operator"]))
        CustomResource(
            f"{name}-serving",
            api_version="operator.knative.dev/v1beta1",
            kind="KnativeServing",
            metadata={
                "name": "knative-serving",
                "namespace": NAMESPACE,
                "labels": _LABELS,
                "annotations": {"pulumi.com/waitFor": "condition=Ready"},
            },
            spec=knative_serving_spec(args["version"], args["images"]),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )
        self.register_outputs({})

    def _operator(self, chart: KnativeOperatorArgs) -> Release:
        space = self._namespace("operator-namespace", OPERATOR_NAMESPACE)
        return Release(
            f"{self._name}-operator",
            name="knative-operator",
            chart=chart["chart"],
            version=chart["version"],
            repository_opts={"repo": chart["repository"]},
            namespace=OPERATOR_NAMESPACE,
            values=knative_operator_values(),
            atomic=True,
            timeout=600,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[space]),
        )

    def _namespace(self, suffix: str, name: str) -> Namespace:
        return Namespace(
            f"{self._name}-{suffix}",
            metadata={"name": name, "labels": _LABELS},
            opts=pulumi.ResourceOptions(parent=self),
        )


_LABELS: Spec = {"app.kubernetes.io/part-of": "gpu-platform"}
