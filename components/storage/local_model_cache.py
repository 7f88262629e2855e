"""Models that KServe keeps on the nodes of a group of pools (serving.kserve.io/v1alpha1, KServe 0.20)."""

from typing import TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.specs import Spec
from components.storage.volumes_spec import LABELS
from infra.conventions import NODEPOOL_LABEL

API_VERSION = "serving.kserve.io/v1alpha1"

# Where Karpenter's NodeClass mounts the machine's NVMe as one RAID0 (karpenter-provider-aws, instanceStorePolicy).
NVME_PATH = "/mnt/k8s-disks/0"


class CachedModelArgs(TypedDict):
    """A model to keep."""

    source_uri: str
    """Where it comes from, such as hf://owner/model:commit."""
    size_gib: float
    """Size in GiB."""


class LocalModelCacheArgs(TypedDict):
    """Which nodes keep which models."""

    node_pools: list[str]
    """Karpenter NodePools whose nodes take part."""
    limit_gib: int
    """Disk of a node that models may take, in GiB."""
    models: dict[str, CachedModelArgs]
    """Models by the name of their LocalModelCache."""


class LocalModelCache(pulumi.ComponentResource):
    """A LocalModelNodeGroup and a LocalModelCache for each model. KServe mounts them into InferenceServices."""

    group_name: pulumi.Output[str]
    """Name of the LocalModelNodeGroup."""

    def __init__(self, name: str, args: LocalModelCacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:LocalModelCache", name, {}, opts)
        group = CustomResource(
            f"{name}-node-group",
            api_version=API_VERSION,
            kind="LocalModelNodeGroup",
            metadata={"name": name, "labels": LABELS},
            spec=node_group_spec(args["node_pools"], args["limit_gib"]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for model, cached in sorted(args["models"].items()):
            CustomResource(
                f"{name}-{model}",
                api_version=API_VERSION,
                kind="LocalModelCache",
                metadata={"name": model, "labels": LABELS},
                spec=cache_spec(name, cached),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[group]),
            )
        self.group_name = pulumi.Output.from_input(name)
        self.register_outputs({"groupName": self.group_name})


def node_group_spec(node_pools: list[str], limit_gib: int) -> Spec:
    """`LocalModelNodeGroup.spec`: a local volume on the NVMe of the pools' nodes."""
    where = {"key": NODEPOOL_LABEL, "operator": "In", "values": list(node_pools)}
    storage = {"storage": f"{limit_gib}Gi"}
    return {
        "storageLimit": f"{limit_gib}Gi",
        "persistentVolumeSpec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": storage,
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "volumeMode": "Filesystem",
            # `local` and not `hostPath` with DirectoryOrCreate: without the RAID0 it fails instead of filling the root.
            "local": {"path": NVME_PATH},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [where]}]}},
        },
        "persistentVolumeClaimSpec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": storage},
            "storageClassName": "",
            "volumeMode": "Filesystem",
        },
    }


def cache_spec(group: str, model: CachedModelArgs) -> Spec:
    """`LocalModelCache.spec`."""
    mib = -(-int(model["size_gib"] * 1024 * 100) // 100)
    return {"sourceModelUri": model["source_uri"], "modelSize": f"{mib}Mi", "nodeGroups": [group]}
