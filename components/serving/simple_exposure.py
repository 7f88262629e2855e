"""The simple choice: a load balancer of its own for one model."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Service
from pulumi_kubernetes.networking.v1 import Ingress, NetworkPolicy

from components.serving.simple_exposure_spec import (
    exposure_name,
    ingress_annotations,
    ingress_spec,
    policy_spec,
    service_annotations,
    service_spec,
)
from components.specs import Spec


class SimpleExposureArgs(TypedDict):
    """The model and how far it is seen. Lists are plain: they decide the objects' shape."""

    namespace: str
    """Namespace of the model."""
    model: str
    """Name of the model."""
    kind: str
    """LoadBalancer (NLB) or Ingress (ALB)."""
    scheme: str
    """internal or internet-facing."""
    source_ranges: list[str]
    """Addresses that may connect; empty: all that reach it."""
    selector: dict[str, str]
    """Labels of the pods that answer requests."""
    port: int
    """Their port."""
    health_path: str
    """Path that answers 200 while they can serve."""
    service: str
    """Service of the model, for an Ingress."""
    service_port: int
    """Its port."""
    paths: list[str]
    """Paths that an Ingress passes."""
    host_name: NotRequired[str]
    """Host of an Ingress. Default: any."""
    certificate_arn: NotRequired[str]
    """Certificate in ACM. Default: none, plain HTTP."""
    idle_seconds: int
    """Longest silence of a connection in seconds."""
    pre_stop_seconds: int
    """How long a server that ends still answers, in seconds: so long the load balancer takes to let go of it."""
    load_balancer_ranges: list[str]
    """Addresses that the load balancer sends from: those of the VPC."""


class SimpleExposure(pulumi.ComponentResource):
    """A Service of type LoadBalancer or an Ingress, and the network policy that lets its traffic in.

    No keys, no limits, no weights: for those there is InferenceGateway.
    """

    address: pulumi.Output[str]
    """Name of the Service or Ingress that has the load balancer's address in its status."""

    def __init__(self, name: str, args: SimpleExposureArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:SimpleExposure", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        metadata: Spec = {
            "name": exposure_name(args["model"]),
            "namespace": args["namespace"],
            "labels": {"app.kubernetes.io/name": args["model"], "app.kubernetes.io/part-of": "gpu-platform"},
        }
        policy = NetworkPolicy(f"{name}-policy", metadata=metadata, spec=policy_spec(args), opts=inside)
        after = pulumi.ResourceOptions(parent=self, depends_on=[policy])
        if args["kind"] == "Ingress":
            found: Spec = {**metadata, "annotations": ingress_annotations(args)}
            Ingress(f"{name}-ingress", metadata=found, spec=ingress_spec(args), opts=after)
        else:
            found = {**metadata, "annotations": service_annotations(args)}
            Service(f"{name}-service", metadata=found, spec=service_spec(args), opts=after)
        self.address = pulumi.Output.from_input(exposure_name(args["model"]))
        self.register_outputs({"address": self.address})
