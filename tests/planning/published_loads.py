"""Published times of loading weights, in our words: those that our estimate must hold, and the others with a reason.

Every row that the project's material lists (knowledge/platforms.md 5.1, read 2026-11-21) is here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from infra.planning.startup.ranges import Seconds
from infra.planning.startup.weights import Load, efs, local, s3_streamer

_GB_IN_GIB = 1e9 / 2**30
_LLAMA_8B = 15 * _GB_IN_GIB  # "about 15 GB"


@dataclass(frozen=True, slots=True)
class Held:
    """A measurement of a storage that we offer, with size and time.

    Attributes:
        seconds: as published.
        estimate: our range for the same case.
        source: where it was published.
    """

    name: str
    seconds: float
    estimate: Callable[[], Seconds]
    source: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A measurement that says nothing about our estimate, and why."""

    name: str
    reason: str
    source: str


_BENCHMARKS = "run-ai/runai-model-streamer docs/src/benchmarks.md"

HELD = (
    Held("8B from gp3, default loader", 47.56, lambda: local(Load(_LLAMA_8B, nvme=False)), _BENCHMARKS),
    Held("8B from io2, default loader", 43.71, lambda: local(Load(_LLAMA_8B, nvme=False)), _BENCHMARKS),
    Held("8B from S3, 4 threads", 28.24, lambda: s3_streamer(Load(_LLAMA_8B, network_gbps=40), 4), _BENCHMARKS),
    Held("8B from S3, 32 threads", 4.88, lambda: s3_streamer(Load(_LLAMA_8B, network_gbps=40), 32), _BENCHMARKS),
    Held(
        "894 GiB read from EFS by each of two p5en",
        43 * 60,
        lambda: efs(Load(894, tensor_parallel=8, memory_gib=2048, servers=2), driver=False),
        "modelplane 204; its clients had the limit of 500 MiB/s, as its 492 MiB/s of writing shows",
    ),
    Held(
        "960 GB written to EFS by one client",
        31 * 60,
        lambda: efs(Load(960 * _GB_IN_GIB), driver=False),
        "modelplane 204",
    ),
    Held(
        "one engine at 1.4 GB/s from EFS, 100 GiB of it",
        100 * 2**30 / 1.4e9,
        lambda: efs(Load(100)),
        "modelplane 383",
    ),
    Held(
        "bursting EFS of 200 GB that has spent its credits, at 10 MiB/s, 15 GiB of it",
        15 * 1024 / 10,
        lambda: efs(Load(15), elastic=False, stored_gib=200 * _GB_IN_GIB),
        "modelplane 383",
    ),
    Held("NVMe at 4.9 GiB/s, 61 GiB of it", 61 / 4.9, lambda: local(Load(61)), "runai-model-streamer 120"),
)

_NOT_OURS = "we do not offer this storage"

REPORTED = (
    Reported("8B from gp3 and io2 with the streamer, 14.34 and 7.53 s", "our streamer reads S3 only", _BENCHMARKS),
    Reported("8B from S3 with Tensorizer, 37.36 s", "we do not offer this loader", _BENCHMARKS),
    Reported("554 GiB, TP16, Azure Lustre, 4575 and 318 s", _NOT_OURS, "ai-dynamo/dynamo fast-model-loading.md"),
    Reported("70B from Cloud Storage FUSE, 1200 and 35 s", _NOT_OURS, "accelerated-platforms gcsfuse README"),
    Reported("61 GiB, Azure blob streaming, 16 s", _NOT_OURS, "kaito model mirror proposal"),
    Reported("124.96 GiB, CoreWeave object storage, 14.29 s", f"{_NOT_OURS}; network not stated", "marin 7136"),
    Reported("620 GB, NFS over RDMA, 35 to 45 s", _NOT_OURS, "runai-model-streamer 135"),
    Reported("SeaweedFS at 800 MB/s", f"{_NOT_OURS}; an S3 server of one's own", "runai-model-streamer 120"),
    Reported("405B, FSx for Lustre with GPUDirect, 6 s", "no GPUDirect here; known from a summary only", "AWS blog"),
    Reported("KServe local model cache, 15 to 20 min and 1 min", "size and disks not stated", "kserve 3869"),
    Reported("hostPath cache, 110 and 52 s", "size not stated, engine start included", "llm-d-autoscaling 1433"),
)
