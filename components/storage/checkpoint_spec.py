"""What a checkpoint store adds to the pods of a training job: plain values in, parts of a pod out."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from components.specs import Spec
from components.storage.model_download_spec import SCRIPTS_PATH, confined

SCRIPT_NAME = "checkpoint_copy.py"
CHECKPOINTS_PATH = "/checkpoints"
_STORE_PATH = "/checkpoint-store"

# Time for the last round after the trainer has ended, in seconds for each GiB of scratch: 200 MiB/s, a conservative
# share of what FSx for Lustre gives a client. Our choice.
_SECONDS_PER_GIB = 5


@dataclass(frozen=True, slots=True)
class PodParts:
    """Parts of a pod; each is added to the lists of the same name.

    Attributes:
        volumes, mounts, init_containers: as in a pod and in its container.
        grace_seconds: what `terminationGracePeriodSeconds` needs on top.
    """

    volumes: list[Spec] = field(default_factory=list)
    mounts: list[Spec] = field(default_factory=list)
    init_containers: list[Spec] = field(default_factory=list)
    grace_seconds: int = 0


@cache
def copy_script() -> str:
    """The sidecar's script, as it stands beside this module."""
    return (Path(__file__).parent / SCRIPT_NAME).read_text(encoding="utf-8")


def mounted_store(claim: str) -> PodParts:
    """Checkpoints straight into a claim."""
    return PodParts(
        volumes=[{"name": "checkpoints", "persistentVolumeClaim": {"claimName": claim}}],
        mounts=[{"name": "checkpoints", "mountPath": CHECKPOINTS_PATH}],
    )


def scratch_store(claim: str, config_map: str, image: str, scratch_gib: int, every_seconds: int) -> PodParts:
    """Checkpoints to local disks, and a sidecar that copies finished files to a claim.

    The sidecar is an init container that keeps running (Kubernetes 1.29 and newer): it is there before the trainer and
    gets its SIGTERM after the trainer has ended.

    Args:
        claim: of the store that keeps them.
        image: with Python 3.11 or newer.
        scratch_gib: size of the scratch in GiB; on nodes with NVMe as RAID0 it lies there.
    """
    words = [f"--scratch={CHECKPOINTS_PATH}", f"--store={_STORE_PATH}", f"--every={every_seconds}"]
    sidecar: Spec = {
        "name": "copy-checkpoints",
        "image": image,
        "restartPolicy": "Always",
        "command": ["python3", f"{SCRIPTS_PATH}/{SCRIPT_NAME}", *words],
        "resources": {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": confined(),
        "volumeMounts": [
            {"name": "checkpoints", "mountPath": CHECKPOINTS_PATH, "readOnly": True},
            {"name": "checkpoint-store", "mountPath": _STORE_PATH},
            {"name": "checkpoint-scripts", "mountPath": SCRIPTS_PATH, "readOnly": True},
        ],
    }
    return PodParts(
        volumes=[
            {"name": "checkpoints", "emptyDir": {"sizeLimit": f"{scratch_gib}Gi"}},
            {"name": "checkpoint-store", "persistentVolumeClaim": {"claimName": claim}},
            {"name": "checkpoint-scripts", "configMap": {"name": config_map}},
        ],
        mounts=[{"name": "checkpoints", "mountPath": CHECKPOINTS_PATH}],
        init_containers=[sidecar],
        grace_seconds=scratch_gib * _SECONDS_PER_GIB,
    )
