"""Where a training job writes its checkpoints: a claim, and for local scratch the sidecar that empties it."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, PersistentVolumeClaim

from components.specs import Spec
from components.storage.checkpoint_spec import SCRIPT_NAME, copy_script
from components.storage.volumes_spec import LABELS, bound_claim, class_claim
from infra.planning.weights import volume_name


class CheckpointStoreArgs(TypedDict):
    """What jobs of one namespace write to."""

    namespace: pulumi.Input[str]
    """Namespace of the jobs."""
    access_mode: NotRequired[str]
    """How the claim may be mounted. Default: ReadWriteMany, because every worker of a job writes."""
    capacity_gib: NotRequired[int]
    """Size of the claim in GiB; without it there is no claim, and the scratch alone."""
    storage_class: NotRequired[str]
    """StorageClass of the claim. Default: the volume that was made for it, named <store>-<namespace>."""
    volume_namespace: NotRequired[str]
    """Namespace in the name of that volume."""
    scratch: NotRequired[bool]
    """Whether jobs write to local NVMe first; then the sidecar's script is there. Default: False."""


class CheckpointStore(pulumi.ComponentResource):
    """A claim and, for scratch, the script that copies finished files to it."""

    claim_name: pulumi.Output[str]
    """Name of the claim; empty where the store has none of its own."""

    def __init__(self, name: str, args: CheckpointStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:CheckpointStore", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        metadata: Spec = {"name": name, "namespace": args["namespace"], "labels": LABELS}
        self.claim_name = pulumi.Output.from_input("")
        if "capacity_gib" in args:
            gib, mode = args["capacity_gib"], args.get("access_mode", "ReadWriteMany")
            spec = (
                class_claim(args["storage_class"], gib, mode)
                if "storage_class" in args
                else bound_claim(volume_name(name, args.get("volume_namespace", "")), gib, mode)
            )
            claim = PersistentVolumeClaim(f"{name}-claim", metadata=metadata, spec=spec, opts=inside)
            self.claim_name = claim.metadata["name"]
        if args.get("scratch", False):
            ConfigMap(f"{name}-script", metadata=metadata, data={SCRIPT_NAME: copy_script()}, opts=inside)
        self.register_outputs({"claimName": self.claim_name})
