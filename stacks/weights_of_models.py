"""Which models use which store, and what a server is told about its weights. Plain settings in, arguments out."""

import json
import math

from components.serving.weights_spec import CacheArgs, ModelWeightsMountArgs, VariableArgs
from components.storage.download import MARKER
from components.storage.model_download_spec import copy_command, fetch_command
from infra.catalog.weight_loading import RUNAI_STREAMER
from infra.planning.weights import WEIGHTS_PATH, claim_gib, reader_claim
from infra.planning.weights import Weights as PinnedWeights
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.storage import (
    EfsWeights,
    KserveCacheWeights,
    MountpointWeights,
    NvmeCacheWeights,
    OciImageWeights,
    StorageClassWeights,
    StreamerWeights,
    Weights,
)
from infra.settings.tenant_claims import gib_by_namespace, users_of_store

TOKEN_SECRET = "hugging-face"  # noqa: S105 - the name of a Secret
TOKEN_KEY = "token"  # noqa: S105 - the name of a key

WITH_CLAIM = (EfsWeights, MountpointWeights, StorageClassWeights)

_SOURCE_PATH = "/weights-source"


def users_of(settings: PlatformSettings, store: Weights) -> list[ModelSettings]:
    """Models that load from the store, or whose cache is copied from it."""
    return users_of_store(store, settings.models, settings.storage)


def tenants(settings: PlatformSettings, store: Weights) -> dict[str, int]:
    """GiB of weights by namespace, each model and revision counted once."""
    return gib_by_namespace(store, settings.models, settings.storage)


def written_by_job(store: Weights) -> bool:
    """Whether a download Job fills the store."""
    return isinstance(store, EfsWeights) or (isinstance(store, StorageClassWeights) and store.download)


def job_key(model: ModelSettings) -> str:
    """What makes two models of one namespace share a download."""
    return f"{model.namespace}/{model.model}@{model.revision}"


def scripts_name(store: str) -> str:
    """Name of the ConfigMap with the script that fills local disks."""
    return f"{store}-script"


def weights_args(model: ModelSettings, settings: PlatformSettings) -> ModelWeightsMountArgs | None:
    """What a model server is told about its weights; None where the engine downloads them itself."""
    store = settings.storage.weights_store(model.weights)
    if store is None or isinstance(store, KserveCacheWeights):
        return None
    if isinstance(store, StreamerWeights):
        return _streamed(store, model, settings)
    if isinstance(store, NvmeCacheWeights):
        return _cached(store, model, settings)
    if isinstance(store, OciImageWeights):
        return {"model": WEIGHTS_PATH, "image_reference": store.reference}
    return _mounted(store, model)


def _mounted(
    store: EfsWeights | MountpointWeights | StorageClassWeights, model: ModelSettings
) -> ModelWeightsMountArgs:
    claim = reader_claim(store.name)
    if not written_by_job(store):
        return {"model": f"{WEIGHTS_PATH}/{model.name}", "claim_name": claim}
    path = f"{WEIGHTS_PATH}/{_pinned(model).folder}"
    return {"model": path, "claim_name": claim, "marker": f"{path}/{MARKER}"}


def _streamed(store: StreamerWeights, model: ModelSettings, settings: PlatformSettings) -> ModelWeightsMountArgs:
    gigabytes = (model.known_checkpoint_gib or 0.0) * 2**30 / 1e9
    threads = store.concurrency or max(1, math.ceil(gigabytes / RUNAI_STREAMER.gigabytes_per_thread))
    extra = {"concurrency": threads, **({"distributed": True} if model.tensor_parallel > 1 else {})}
    variables: list[VariableArgs] = [{"name": name, "value": value} for name, value in RUNAI_STREAMER.variables.items()]
    if settings.aws:
        variables.append({"name": "AWS_REGION", "value": settings.aws.region})
    return {
        "model": f"s3://{store.bucket}/{store.prefix}{model.name}",
        "flags": [*RUNAI_STREAMER.flags, f"{RUNAI_STREAMER.config_flag}={json.dumps(extra, separators=(',', ':'))}"],
        "variables": variables,
    }


def _cached(store: NvmeCacheWeights, model: ModelSettings, settings: PlatformSettings) -> ModelWeightsMountArgs:
    weights = _pinned(model)
    path = f"{WEIGHTS_PATH}/{weights.folder}"
    source = settings.storage.weights_store(store.source)
    cache: CacheArgs = {
        "gib": claim_gib([model.known_checkpoint_gib or 0.0]),
        "command": fetch_command(weights, path),
        "scripts": scripts_name(store.name),
    }
    if source is not None:
        folder = weights.folder if written_by_job(source) else model.name
        cache["command"] = copy_command(f"{_SOURCE_PATH}/{folder}", path)
        cache["source_claim"] = reader_claim(source.name)
    return {"model": path, "cache": cache}


def _pinned(model: ModelSettings) -> PinnedWeights:
    """The model at its commit, which the settings' checks require where something is downloaded."""
    return PinnedWeights(model.model, model.revision or "")
