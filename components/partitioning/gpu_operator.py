"""NVIDIA's GPU operator, with the layouts and shares that nodes name by label."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace
from pulumi_kubernetes.helm.v3 import Release

from components.partitioning.gpu_operator_values import (
    LAYOUTS,
    NAMESPACE,
    SHARES,
    gpu_operator_values,
    layouts_data,
    namespace_spec,
    shares_data,
)
from components.specs import Spec


class GpuTolerationArgs(TypedDict):
    """A taint of GPU nodes beyond nvidia.com/gpu, which the operator's pods bear."""

    key: str
    """Taint key."""
    operator: str
    """Equal or Exists."""
    value: NotRequired[str]
    """Taint value; only with Equal."""
    effect: str
    """Taint effect."""


class GpuChartArgs(TypedDict):
    """A Helm chart."""

    chart: str
    """Name of the chart, or its OCI address."""
    repository: NotRequired[str]
    """URL of the repository; none with an OCI address."""
    version: str
    """Version."""


class GpuOperatorArgs(TypedDict):
    """What the operator makes of GPUs. Layouts and shares are plain: they decide the objects' shape."""

    operator: NotRequired[GpuChartArgs]
    """Chart of the operator. Default: none, only what it would read; something else divides GPUs."""
    layouts: dict[str, dict[str, int]]
    """MIG layouts by name: how many slices of each profile one GPU has. Nodes name one by nvidia.com/mig.config."""
    shares: list[str]
    """Configurations of the device plugin, such as mig-mixed, timeSlicing-4 or mps-2; nodes name one by
    nvidia.com/device-plugin.config."""
    tolerations: NotRequired[list[GpuTolerationArgs]]
    """Taints of GPU pools beyond nvidia.com/gpu, startup taints among them."""
    service_monitors: NotRequired[bool]
    """Whether the exporter of GPU metrics gets a ServiceMonitor; needs the Prometheus operator. Default: no."""


class GpuOperator(pulumi.ComponentResource):
    """Device plugin, MIG manager, node features and GPU metrics on nodes whose image has driver and toolkit."""

    namespace: pulumi.Output[str]
    """Namespace of the operator."""

    def __init__(self, name: str, args: GpuOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:GpuOperator", name, {}, opts)
        self._name = name
        space = Namespace(
            f"{name}-namespace", metadata=namespace_spec(NAMESPACE), opts=pulumi.ResourceOptions(parent=self)
        )
        read = [
            self._map("mig-layouts", LAYOUTS, layouts_data(args["layouts"]), space),
            self._map("device-plugin", SHARES, shares_data(args["shares"]), space),
        ]
        bears: Spec = args.get("tolerations", [])
        if "operator" in args:
            values = gpu_operator_values(bears, args.get("service_monitors", False))
            self._release(args["operator"], values, [space, *read])
        self.namespace = space.metadata["name"]
        self.register_outputs({"namespace": self.namespace})

    def _map(self, suffix: str, name: str, data: dict[str, str], space: Namespace) -> ConfigMap:
        return ConfigMap(
            f"{self._name}-{suffix}",
            metadata={"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "gpu-platform"}},
            data=data,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[space]),
        )

    def _release(self, chart: GpuChartArgs, values: Spec, needs: list[pulumi.Resource]) -> Release:
        return Release(
            f"{self._name}-operator",
            name="gpu-operator",
            chart=chart["chart"],
            version=chart["version"],
            repository_opts={"repo": chart["repository"]} if "repository" in chart else None,
            namespace=NAMESPACE,
            values=values,
            atomic=True,
            timeout=900,  # its operands pull several GiB of images, one node after the other
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )
