"""What Karpenter and the scheduler are told about a pool whose GPUs are divided."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.resource.v1 import DeviceClass, ResourceClaimTemplate

from components.partitioning.gpu_partition_spec import (
    claim_template_spec,
    device_class_name,
    device_class_spec,
    node_overlay_spec,
)


class OverlayArgs(TypedDict):
    """Nodes that have alike devices."""

    name: str
    """Name of the NodeOverlay, without the pool's."""
    instance_types: list[str]
    """EC2 instance types."""
    capacity: dict[str, int]
    """Devices of one node by resource; 0 takes a resource away."""


class ClaimsArgs(TypedDict):
    """Devices that pods claim."""

    profiles: list[str]
    """MIG profiles the GPUs are cut into; empty for whole GPUs."""
    namespaces: list[str]
    """Namespaces, there already, that get a ResourceClaimTemplate for each."""


class GpuPartitionArgs(TypedDict):
    """How the pool's GPUs are divided. Plain: it decides which objects there are."""

    pool: str
    """Name of the NodePool."""
    overlays: NotRequired[list[OverlayArgs]]
    """What Karpenter is told (needs its gate NodeOverlay). Default: nothing, as for a pool of fixed size."""
    claims: NotRequired[ClaimsArgs]
    """What can be claimed. Default: nothing; the device plugin reports devices."""


class GpuPartition(pulumi.ComponentResource):
    """NodeOverlays of a pool that follows its pods; DeviceClasses and claim templates of one of fixed size."""

    device_classes: pulumi.Output[list[str]]
    """Names of the DeviceClasses, empty where nothing is claimed."""

    def __init__(self, name: str, args: GpuPartitionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:GpuPartition", name, {}, opts)
        self._name, self._pool = name, args["pool"]
        for overlay in args.get("overlays", []):
            self._overlay(overlay)
        classes = self._claims(args["claims"]) if "claims" in args else []
        self.device_classes = pulumi.Output.from_input(classes)
        self.register_outputs({"deviceClasses": self.device_classes})

    def _overlay(self, overlay: OverlayArgs) -> None:
        CustomResource(
            f"{self._name}-{overlay['name']}",
            api_version="karpenter.sh/v1alpha1",
            kind="NodeOverlay",
            metadata={"name": f"{self._pool}-{overlay['name']}"},
            spec=node_overlay_spec(self._pool, overlay["instance_types"], overlay["capacity"]),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _claims(self, claims: ClaimsArgs) -> list[str]:
        inside = pulumi.ResourceOptions(parent=self)
        names = []
        for profile in claims["profiles"] or [""]:
            name = device_class_name(self._pool, profile)
            names.append(name)
            made = DeviceClass(f"{name}-class", metadata={"name": name}, spec=device_class_spec(profile), opts=inside)
            for namespace in claims["namespaces"]:
                ResourceClaimTemplate(
                    f"{name}-{namespace}",
                    metadata={"name": name, "namespace": namespace},
                    spec=claim_template_spec(name),
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[made]),
                )
        return names
