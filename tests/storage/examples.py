"""Plans of the weights example, with its settings edited."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import yaml

from infra.plan import Plan
from infra.plan.records import Mode
from infra.settings import StackFile, load_stack_file, parse_settings
from stacks.evaluation import evaluate
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "weights" / "Pulumi.efs.yaml"

Edit = Callable[[dict[str, Any]], object]


def example(*edits: Edit) -> StackFile:
    """The example's stack after the edits to its settings."""
    data = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["config"]["gpu-platform:platform"]
    for edit in edits:
        edit(data)
    return replace(load_stack_file(EXAMPLE), settings=parse_settings(data))


def plan(*edits: Edit, mode: Mode = "stand-in") -> Plan:
    """What the edited example would create."""
    return evaluate(example(*edits), mode)


def store(**values: Any) -> Edit:
    """Replace the store that the models load from."""

    def edit(settings: dict[str, Any]) -> None:
        settings["storage"]["weights"] = [{"name": "weights", **values}]

    return edit


def checkpoints(*stores: dict[str, Any]) -> Edit:
    """Add checkpoint stores."""

    def edit(settings: dict[str, Any]) -> None:
        settings["storage"]["checkpoints"] = list(stores)

    return edit


def with_source(settings: dict[str, Any]) -> None:
    """A cache on local NVMe that is copied from EFS."""
    settings["storage"]["weights"].append({"name": "cache", "kind": "nvme-cache", "source": "weights"})
    for model in settings["models"]:
        model["weights"] = "cache"


def one_model(settings: dict[str, Any]) -> None:
    """Only the first model."""
    del settings["models"][1:]


def addon(name: str) -> Edit:
    """Add an EKS add-on."""
    return lambda settings: settings["cluster"]["addons"].append(name)


LUSTRE = {
    "name": "train", "kind": "fsx-lustre", "zone": "usw2-az2", "bucket": "gpu-weights-checkpoints", "create": True,
    "capacityGib": 2400,
}  # fmt: skip
SCRATCH = {"name": "scratch", "kind": "nvme-scratch", "target": "train", "scratchGib": 500}
BUCKET = {"name": "plain", "kind": "s3", "bucket": "gpu-weights-checkpoints", "create": True, "prefix": "runs/"}
CLASS = {"name": "shared", "kind": "storage-class", "storageClass": "ceph", "capacityGib": 3000}

VARIANTS: dict[str, tuple[Edit, ...]] = {
    "efs": (),
    "s3-streamer": (store(kind="s3-streamer", bucket="gpu-weights-models", create=True, prefix="models/"),),
    "s3-mountpoint": (
        store(kind="s3-mountpoint", bucket="gpu-weights-models", create=True, prefix="models/"),
        addon("aws-mountpoint-s3-csi-driver"),
    ),
    "nvme-cache": (store(kind="nvme-cache"),),
    "nvme-cache from efs": (with_source,),
    "oci-image": (store(kind="oci-image", reference="registry.example/weights:v1"), one_model),
    "storage-class": (store(kind="storage-class", storageClass="ceph"),),
    "checkpoints": (checkpoints(LUSTRE, SCRATCH, BUCKET, CLASS), addon("aws-fsx-csi-driver")),
}
