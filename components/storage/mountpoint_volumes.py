"""A bucket's prefix as files: one read-only volume for each tenant, mounted by the Mountpoint CSI driver."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import PersistentVolume

from components.storage.volumes_spec import LABELS, mountpoint_volume
from infra.planning.weights import reader_claim, volume_name


class MountpointVolumesArgs(TypedDict):
    """Which bucket, and who reads it."""

    bucket: str
    """Name of the bucket."""
    prefix: NotRequired[str]
    """Prefix that becomes the root of the mount. Default: the whole bucket."""
    tenants: dict[str, int]
    """GiB of weights by namespace; a bucket has no size, the number is what claims and volumes state."""


class MountpointVolumes(pulumi.ComponentResource):
    """A volume for each namespace, kept for the claim of that store."""

    volume_names: pulumi.Output[list[str]]
    """Names of the volumes, in the order of the namespaces."""

    def __init__(self, name: str, args: MountpointVolumesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:MountpointVolumes", name, {}, opts)
        claim = reader_claim(name)
        # What each claim waits for, by the volume's name. Not an output: the package's schema cannot name its type.
        self.volumes: dict[str, pulumi.Resource] = {
            volume_name(claim, namespace): PersistentVolume(
                f"{name}-{namespace}-volume",
                metadata={"name": volume_name(claim, namespace), "labels": LABELS},
                spec=mountpoint_volume(args["bucket"], args.get("prefix", ""), namespace, claim, gib),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for namespace, gib in sorted(args["tenants"].items())
        }
        self.volume_names = pulumi.Output.from_input(list(self.volumes))
        self.register_outputs({"volumeNames": self.volume_names})
