"""Flags and variables by which an engine streams weights from object storage, so that no layer spells them by hand."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Streamer:
    """Facts of one streamer in one engine.

    Attributes:
        flags: engine flags that choose it.
        config_flag: flag whose value is its configuration as JSON.
        gigabytes_per_thread: one reading thread for each so many GB (not GiB) of weights.
        variables: environment variables it is run with.
        source: where these facts were read.
    """

    flags: tuple[str, ...]
    config_flag: str
    gigabytes_per_thread: int
    variables: Mapping[str, str]
    source: str


RUNAI_STREAMER = Streamer(
    flags=("--load-format=runai_streamer",),
    config_flag="--model-loader-extra-config",
    gigabytes_per_thread=4,
    variables={
        "RUNAI_STREAMER_CHUNK_BYTESIZE": str(4 * 2**30),
        "RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS": "3000",
        "RUNAI_STREAMER_S3_LOW_SPEED_LIMIT": "1048576",
    },
    source="Amazon EKS user guide, ml-inference-fast-model-loading; run-ai/runai-model-streamer docs; vLLM 0.33",
)
