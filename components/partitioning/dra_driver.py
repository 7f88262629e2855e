"""NVIDIA's DRA driver: devices by claim on the nodes of pools that ask for it."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release

from components.partitioning.gpu_operator import GpuChartArgs, GpuTolerationArgs
from components.partitioning.gpu_operator_values import dra_driver_values, namespace_spec
from components.specs import Spec
from infra.conventions import CLAIMED_LABEL

NAMESPACE = "dra-driver"


class DraDriverArgs(TypedDict):
    """Which driver, and where."""

    driver: GpuChartArgs
    """Its chart."""
    tolerations: NotRequired[list[GpuTolerationArgs]]
    """Taints of the pools beyond nvidia.com/gpu, startup taints among them."""


class DraDriver(pulumi.ComponentResource):
    """Publishes the GPUs and slices of nodes with the label gpu-platform/devices-claimed, and prepares what pods claim.

    Its pods see the end of every claim: pools whose devices are claimed depend on it.
    """

    def __init__(self, name: str, args: DraDriverArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:DraDriver", name, {}, opts)
        space = Namespace(
            f"{name}-namespace", metadata=namespace_spec(NAMESPACE), opts=pulumi.ResourceOptions(parent=self)
        )
        bears: Spec = args.get("tolerations", [])
        chart = args["driver"]
        Release(
            f"{name}-driver",
            name="dra-driver-nvidia-gpu",
            chart=chart["chart"],
            version=chart["version"],
            namespace=NAMESPACE,
            values=dra_driver_values((CLAIMED_LABEL, "true"), bears),
            atomic=True,
            timeout=600,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[space]),
        )
        self.register_outputs({})
