"""Where model weights and checkpoints lie: named stores, each of one kind. Off where nothing is named."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictFloat, model_validator

from infra.settings.values import DnsLabel, Flag, ObjectName, Positive, Settings, ZoneId, invalid, matching

BucketName = Annotated[
    str,
    AfterValidator(
        matching(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", "an S3 bucket's name: 3 to 63 lower-case letters, digits and '-'")
    ),
]
KeyPrefix = Annotated[
    str,
    AfterValidator(matching(r"([A-Za-z0-9._-]+/)*", "a key prefix that ends with '/', such as models/, or nothing")),
]
FileSystemId = Annotated[
    str, AfterValidator(matching(r"fs-[0-9a-f]{8,40}", "the id of a file system, such as fs-0a1b"))
]
Commit = Annotated[str, AfterValidator(matching(r"[0-9a-f]{40}", "a commit of the repository: 40 hexadecimal digits"))]
Gib = Annotated[StrictFloat, Field(gt=0, allow_inf_nan=False)]
AccessMode = Literal["ReadWriteMany", "ReadOnlyMany", "ReadWriteOnce"]

_IMAGE_WITH_DIGEST_OR_TAG = re.compile(r"[a-z0-9][a-z0-9._/:-]*(:(?!latest$)[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})")


def _check_reference(text: str) -> str:
    if not _IMAGE_WITH_DIGEST_OR_TAG.fullmatch(text):
        raise invalid("an OCI artifact with a version tag or a digest", 'write it like "registry.example/weights:v1"')
    return text


# --- weights ----------------------------------------------------------------------------------------------------------


class EfsWeights(Settings):
    """An encrypted EFS file system with a mount target in every zone; the portable choice."""

    name: ObjectName
    """Name of the store, as models give it."""
    kind: Literal["efs"]
    throughput: Literal["elastic", "bursting"] = "elastic"
    """elastic: up to 1500 MiB/s a client, paid by the byte. bursting: grows with what is stored, and is soon spent."""
    zones: tuple[ZoneId, ...] = ()
    """Zones with a mount target; none means every zone of the network."""
    file_system_id: FileSystemId | None = None
    """A file system that is there already, with its mount targets; then none is made."""
    backup: Flag = False
    """Whether AWS Backup keeps copies. Default: no; weights can be downloaded again, revision for revision."""


class StreamerWeights(Settings):
    """Objects in S3 that the engine streams straight into GPU memory (Run:ai model streamer); the fastest at scale."""

    name: ObjectName
    """Name of the store, as models give it."""
    kind: Literal["s3-streamer"]
    bucket: BucketName
    """Bucket that holds `<prefix><model name>/`."""
    create: Flag = False
    """Whether the platform makes the bucket; else it is there."""
    prefix: KeyPrefix = ""
    """Prefix of everything of the store."""
    concurrency: Positive | None = None
    """Threads that read. Default: a thread for every 4 GB of weights, as AWS advises."""


class MountpointWeights(Settings):
    """Objects in S3, mounted as files by the Mountpoint CSI driver."""

    name: ObjectName
    """Name of the store, as models give it."""
    kind: Literal["s3-mountpoint"]
    bucket: BucketName
    """Bucket that holds `<prefix><model name>/`."""
    create: Flag = False
    """Whether the platform makes the bucket; else it is there."""
    prefix: KeyPrefix = ""
    """Prefix of everything of the store."""


class NvmeCacheWeights(Settings):
    """A copy on the node's own NVMe, which an init container fetches before the engine starts."""

    name: ObjectName
    """Name of the store, as models give it."""
    kind: Literal["nvme-cache"]
    source: ObjectName | None = None
    """Store that is copied from, of kind efs or storage-class; none means Hugging Face itself."""


class CachedModel(Settings):
    """A model that KServe keeps on the nodes."""

    name: ObjectName
    """Name of the LocalModelCache."""
    model: str
    """Hugging Face repository."""
    revision: Commit
    """Commit of the repository."""
    size_gib: Gib
    """Size in GiB, which must fit the group's limit."""


class KserveCacheWeights(Settings):
    """KServe's LocalModelCache: its agents download models to nodes before a server comes."""

    name: ObjectName
    """Name of the LocalModelNodeGroup."""
    kind: Literal["kserve-cache"]
    node_pools: tuple[ObjectName, ...] = Field(min_length=1)
    """Pools whose nodes hold the models."""
    limit_gib: Positive
    """Disk of a node that models may take, in GiB."""
    models: tuple[CachedModel, ...] = Field(min_length=1)
    """Models to keep there, for InferenceServices."""


class OciImageWeights(Settings):
    """One model as an OCI artifact, mounted as an image volume and pulled like an image."""

    name: ObjectName
    """Name of the store, as its model gives it."""
    kind: Literal["oci-image"]
    reference: Annotated[str, AfterValidator(_check_reference)]
    """The artifact, with a version tag or a digest; the model's files lie at its root."""


class StorageClassWeights(Settings):
    """A claim on any StorageClass of the cluster."""

    name: ObjectName
    """Name of the store, as models give it."""
    kind: Literal["storage-class"]
    storage_class: ObjectName
    """The StorageClass."""
    access_mode: AccessMode = "ReadWriteMany"
    """How the claim may be mounted."""
    download: Flag = True
    """Whether a Job writes the models into it; else they are there."""
    capacity_gib: Positive | None = None
    """Size of the claim in GiB. Default: the models of a namespace and a tenth."""
    gib_per_second: Gib | None = None
    """Read throughput of one server in GiB/s, for the start-up estimate; without it none is given."""


Weights = Annotated[
    EfsWeights
    | StreamerWeights
    | MountpointWeights
    | NvmeCacheWeights
    | KserveCacheWeights
    | OciImageWeights
    | StorageClassWeights,
    Field(discriminator="kind"),
]

# --- checkpoints ------------------------------------------------------------------------------------------------------


class CheckpointNeed(Settings):
    """What a job writes, so that the claim can be judged."""

    model: str
    """A model of the catalogue with the trained model's shape."""
    optimizer: Flag = True
    """Whether optimizer states are written too."""
    keep: Positive = 2
    """Checkpoints kept at once; with one, a crash while it is written leaves none."""


class _CheckpointBase(Settings):
    name: ObjectName
    """Name of the store, and of its claim."""
    namespace: DnsLabel = "training"
    """Namespace of the jobs that use it."""
    holds: CheckpointNeed | None = None
    """What is written, to judge the size."""


class LustreCheckpoints(_CheckpointBase):
    """FSx for Lustre, PERSISTENT_2 on SSD, linked with a bucket; one zone, that of the training pool."""

    kind: Literal["fsx-lustre"]
    zone: ZoneId
    """Zone of the file system; jobs in another zone pay for and wait on every byte."""
    capacity_gib: Positive = 1200
    """1200, or a multiple of 2400, in GiB."""
    mbps_per_tib: Literal[125, 250, 500, 1000] = 250
    """Throughput in MB/s for each TiB."""
    bucket: BucketName
    """Bucket that the file system is linked with: what is written goes there too."""
    create: Flag = False
    """Whether the platform makes the bucket; else it is there."""
    prefix: KeyPrefix = ""
    """Prefix in the bucket."""

    @model_validator(mode="after")
    def _capacity_in_steps(self) -> Self:
        if self.capacity_gib != 1200 and self.capacity_gib % 2400:
            larger = max(2400, -(-self.capacity_gib // 2400) * 2400)
            raise invalid(
                f"capacityGib of 1200 or a multiple of 2400 for PERSISTENT_2 on SSD; this is {self.capacity_gib}",
                f"write {larger}",
            )
        return self


class BucketCheckpoints(_CheckpointBase):
    """A bucket that jobs write to with a client such as the S3 connector for PyTorch; no volume."""

    kind: Literal["s3"]
    bucket: BucketName
    """The bucket."""
    create: Flag = False
    """Whether the platform makes the bucket; else it is there."""
    prefix: KeyPrefix = ""
    """Prefix that jobs may use."""
    service_account: ObjectName = "trainer"
    """Service account of the jobs, which gets the right to the prefix."""


class ScratchCheckpoints(_CheckpointBase):
    """The node's own NVMe, and a sidecar that copies finished files to another store while training goes on."""

    kind: Literal["nvme-scratch"]
    target: ObjectName
    """Store that is copied to, of kind fsx-lustre or storage-class."""
    scratch_gib: Positive
    """NVMe that a pod may take, in GiB."""
    every_seconds: Positive = 30
    """How often the sidecar looks for finished files."""


class StorageClassCheckpoints(_CheckpointBase):
    """A claim on any StorageClass of the cluster."""

    kind: Literal["storage-class"]
    storage_class: ObjectName
    """The StorageClass."""
    access_mode: AccessMode = "ReadWriteMany"
    """How the claim may be mounted; every worker of a job writes."""
    capacity_gib: Positive
    """Size of the claim in GiB."""


Checkpoints = Annotated[
    LustreCheckpoints | BucketCheckpoints | ScratchCheckpoints | StorageClassCheckpoints, Field(discriminator="kind")
]


class StorageSettings(Settings):
    """Stores of weights and checkpoints."""

    weights: tuple[Weights, ...] = ()
    """Stores that models load from."""
    checkpoints: tuple[Checkpoints, ...] = ()
    """Stores that training writes to."""

    def weights_store(self, name: str | None) -> Weights | None:
        """The store of that name; None where there is none, or no name."""
        return next((store for store in self.weights if store.name == name), None)
