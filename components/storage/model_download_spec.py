"""The shape of a download Job: plain values in, Kubernetes specs out."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from components.specs import Spec
from infra.conventions import PURPOSE_LABEL
from infra.planning.weights import WEIGHTS_GID, WEIGHTS_PATH, WRITER_UID, Weights, download_deadline_seconds

if TYPE_CHECKING:
    from components.storage.model_download import ModelDownloadArgs

SCRIPT_NAME = "download.py"
SCRIPTS_PATH = "/scripts"

# How long a finished Job stays to be looked at. Its name holds the revision: gone, it would run once more only after
# `pulumi refresh`, and then finds the marker and ends in seconds.
KEPT_SECONDS = 24 * 3600

# A pod that is evicted does not count; of real failures each resumes where the last one ended.
_RETRIES = 4


@cache
def script() -> str:
    """The script, as it stands beside this module."""
    return (Path(__file__).parent / SCRIPT_NAME).read_text(encoding="utf-8")


def script_spec() -> Spec:
    """`data` of the ConfigMap that holds the script."""
    return {SCRIPT_NAME: script()}


def fetch_command(weights: Weights, into: str) -> list[str]:
    """The command that brings the weights to a folder."""
    words = ["fetch", f"--repository={weights.repository}", f"--revision={weights.revision}", f"--into={into}"]
    return ["python3", f"{SCRIPTS_PATH}/{SCRIPT_NAME}", *words]


def copy_command(source: str, into: str) -> list[str]:
    """The command that copies complete weights from one folder to another."""
    return ["python3", f"{SCRIPTS_PATH}/{SCRIPT_NAME}", "copy", f"--source={source}", f"--into={into}"]


def download_job_spec(name: str, config_map: str, args: "ModelDownloadArgs") -> Spec:
    """`Job.spec`."""
    weights = Weights(args["repository"], args["revision"])
    return {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": _RETRIES,
        "activeDeadlineSeconds": download_deadline_seconds(args["size_gib"]),
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]},
        "template": {
            "metadata": {
                "labels": job_labels(name),
                # Consolidation would cut a download that has gone on for an hour.
                "annotations": {"karpenter.sh/do-not-disrupt": "true"},
            },
            "spec": {
                "restartPolicy": "Never",
                "serviceAccountName": name,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": WRITER_UID,
                    "runAsGroup": WEIGHTS_GID,
                    "fsGroup": WEIGHTS_GID,
                    "fsGroupChangePolicy": "OnRootMismatch",
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                # No toleration: nothing that only downloads may hold a GPU node.
                "nodeSelector": {PURPOSE_LABEL: args.get("node_purpose", "cpu")},
                "containers": [_container(weights, args)],
                "volumes": [
                    {"name": "model-files", "persistentVolumeClaim": {"claimName": args["claim_name"]}},
                    {"name": "scripts", "configMap": {"name": config_map}},
                ],
            },
        },
    }


def job_labels(name: str) -> dict[str, str]:
    """Labels of a download's objects."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": "model-download",
        "app.kubernetes.io/part-of": "gpu-platform",
    }


def confined() -> Spec:
    """`securityContext` of a container that only moves files."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}


def _container(weights: Weights, args: "ModelDownloadArgs") -> Spec:
    secret = args.get("token_secret")
    reference = {"name": secret["name"], "key": secret["key"]} if secret else {}
    return {
        "name": "download",
        "image": args["image"],
        "command": fetch_command(weights, f"{WEIGHTS_PATH}/{weights.folder}"),
        "env": [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}] if secret else [],
        # Four connections and their hashes; what is written is page cache, which the kernel takes back.
        "resources": {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "securityContext": confined(),
        "volumeMounts": [
            {"name": "model-files", "mountPath": WEIGHTS_PATH},
            {"name": "scripts", "mountPath": SCRIPTS_PATH, "readOnly": True},
        ],
    }
