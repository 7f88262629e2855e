"""A weight file system as Kubernetes sees it: an access point and a volume for each tenant's writer and readers."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import efs
from pulumi_kubernetes.core.v1 import PersistentVolume
from pulumi_kubernetes.storage.v1 import StorageClass

from components.specs import Spec
from components.storage.volumes_spec import FOLDER_MODE, LABELS, efs_storage_class, efs_volume
from infra.planning.weights import READER_UID, WEIGHTS_GID, WRITER_UID, reader_claim, volume_name, writer_claim


class WeightVolumesArgs(TypedDict):
    """Which file system, and who has a part of it."""

    file_system_id: pulumi.Input[str]
    """The EFS file system; may still be on its way."""
    tenants: dict[str, int]
    """GiB of weights by namespace. EFS grows by itself; the number is what claims and volumes state."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on access points."""


class WeightVolumes(pulumi.ComponentResource):
    """A StorageClass, and for each namespace two access points on its own folder with a volume each."""

    class_name: pulumi.Output[str]
    """Name of the StorageClass."""

    def __init__(self, name: str, args: WeightVolumesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:WeightVolumes", name, {}, opts)
        self._name, self._args = name, args
        self._inside = pulumi.ResourceOptions(parent=self)
        made = StorageClass(
            f"{name}-storage-class",
            metadata={"name": name, "labels": LABELS},
            **_snake(efs_storage_class(args["file_system_id"])),
            opts=self._inside,
        )
        # What each claim waits for, by the volume's name. Not an output: the package's schema cannot name its type.
        self.volumes: dict[str, pulumi.Resource] = {}
        for namespace, gib in sorted(args["tenants"].items()):
            for claim, uid in ((writer_claim(name), WRITER_UID), (reader_claim(name), READER_UID)):
                self.volumes[volume_name(claim, namespace)] = self._volume(namespace, gib, claim, uid)
        self.class_name = made.metadata["name"]
        self.register_outputs({"className": self.class_name})

    def _volume(self, namespace: str, gib: int, claim: str, uid: int) -> PersistentVolume:
        """An access point of one identity, and the volume of one claim on it."""
        role = "writer" if uid == WRITER_UID else "reader"
        point = efs.AccessPoint(
            f"{self._name}-{namespace}-{role}",
            file_system_id=self._args["file_system_id"],
            posix_user={"uid": uid, "gid": WEIGHTS_GID},
            root_directory={
                "path": f"/tenants/{namespace}",
                # Whoever mounts first makes the folder; it belongs to the writer in either case.
                "creation_info": {"owner_uid": WRITER_UID, "owner_gid": WEIGHTS_GID, "permissions": FOLDER_MODE},
            },
            tags={**self._args.get("tags", {}), "Name": f"{self._name}-{namespace}-{role}"},
            opts=self._inside,
        )
        handle = pulumi.Output.concat(self._args["file_system_id"], "::", point.id)
        return PersistentVolume(
            f"{self._name}-{namespace}-{role}-volume",
            metadata={"name": volume_name(claim, namespace), "labels": LABELS},
            spec=efs_volume(handle, namespace, claim, gib, writer=role == "writer"),
            opts=self._inside,
        )


def _snake(spec: Spec) -> Spec:
    """The arguments of a StorageClass, which has no spec, in the SDK's spelling."""
    names = {
        "reclaimPolicy": "reclaim_policy",
        "volumeBindingMode": "volume_binding_mode",
        "mountOptions": "mount_options",
    }
    return {names.get(key, key): value for key, value in spec.items()}
