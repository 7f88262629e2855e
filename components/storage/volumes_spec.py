"""The shape of volumes, claims and storage classes: plain values in, Kubernetes specs out."""

from typing import Any

import pulumi

from components.specs import Spec
from infra.planning.weights import WEIGHTS_GID, WRITER_UID

# Labels of volumes, claims and classes.
LABELS = {"app.kubernetes.io/part-of": "gpu-platform", "app.kubernetes.io/component": "storage"}

EFS_DRIVER = "efs.csi.aws.com"
S3_DRIVER = "s3.csi.aws.com"
LUSTRE_DRIVER = "fsx.csi.aws.com"

# Mode of the folder behind an access point: its owner writes, its group reads.
FOLDER_MODE = "750"


def efs_storage_class(file_system_id: Any) -> Spec:
    """Everything of a StorageClass for claims that are made on the way, beyond the static volumes of the models.

    Args:
        file_system_id: may be an Output.
    """
    return {
        "provisioner": EFS_DRIVER,
        "parameters": {
            "provisioningMode": "efs-ap",
            "fileSystemId": file_system_id,
            "directoryPerms": FOLDER_MODE,
            "uid": str(WRITER_UID),
            "gid": str(WEIGHTS_GID),
            "basePath": "/claims",
            "subPathPattern": "${.PVC.namespace}/${.PVC.name}",
            "ensureUniqueDirectory": "true",
        },
        "reclaimPolicy": "Retain",
        "volumeBindingMode": "Immediate",
        "mountOptions": ["tls"],
    }


def efs_volume(handle: Any, namespace: str, claim: str, gib: int, *, writer: bool) -> Spec:
    """`PersistentVolume.spec` of one access point, kept for one claim.

    Args:
        handle: `<file system>::<access point>`; may be an Output.
    """
    return {
        **_volume(namespace, claim, gib, "ReadWriteMany" if writer else "ReadOnlyMany"),
        "mountOptions": ["tls"],
        "csi": {"driver": EFS_DRIVER, "volumeHandle": handle, "readOnly": not writer},
    }


def mountpoint_volume(bucket: str, prefix: str, namespace: str, claim: str, gib: int) -> Spec:
    """`PersistentVolume.spec` of a bucket's prefix, read only, with the driver's own rights."""
    options = ["read-only", "allow-other", *([f"prefix {prefix}"] if prefix else [])]
    return {
        **_volume(namespace, claim, gib, "ReadOnlyMany"),
        "mountOptions": options,
        "csi": {
            "driver": S3_DRIVER,
            "volumeHandle": f"{bucket}-{claim}-{namespace}",
            "volumeAttributes": {"bucketName": bucket, "authenticationSource": "driver"},
        },
    }


def lustre_volume(file_system_id: Any, mount_name: Any, *, region: str, namespace: str, claim: str, gib: int) -> Spec:
    """`PersistentVolume.spec` of an FSx for Lustre file system, for writers on many nodes.

    Args:
        file_system_id, mount_name: may be Outputs.
    """
    # Amazon FSx for Lustre user guide: the DNS name is <id>.fsx.<region>.amazonaws.com.
    dns_name = pulumi.Output.concat(file_system_id, f".fsx.{region}.amazonaws.com")
    return {
        **_volume(namespace, claim, gib, "ReadWriteMany"),
        "mountOptions": ["flock"],
        "csi": {
            "driver": LUSTRE_DRIVER,
            "volumeHandle": file_system_id,
            "volumeAttributes": {"dnsname": dns_name, "mountname": mount_name},
        },
    }


def _volume(namespace: str, claim: str, gib: int, mode: str) -> Spec:
    return {
        "capacity": {"storage": f"{gib}Gi"},
        "accessModes": [mode],
        # The data is no claim's to delete.
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "volumeMode": "Filesystem",
        # Nobody else's claim may take it.
        "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": claim},
    }


def bound_claim(volume: str, gib: int, mode: str) -> Spec:
    """`PersistentVolumeClaim.spec` of a volume that is there: an empty class keeps provisioners out."""
    return {**class_claim("", gib, mode), "volumeName": volume}


def class_claim(storage_class: str, gib: int, mode: str) -> Spec:
    """`PersistentVolumeClaim.spec` of a class that makes volumes."""
    return {
        "accessModes": [mode],
        "storageClassName": storage_class,
        "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": f"{gib}Gi"}},
    }
