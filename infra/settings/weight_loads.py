"""How long a model's weights take from the store that its settings name."""

from collections.abc import Iterable

from infra.planning.startup.ranges import Seconds
from infra.planning.startup.weights import (
    Load,
    copied,
    efs,
    from_hub,
    local,
    oci_image,
    s3_mountpoint,
    s3_streamer,
    stated,
)
from infra.settings.models import ModelSettings
from infra.settings.storage import (
    EfsWeights,
    KserveCacheWeights,
    MountpointWeights,
    NvmeCacheWeights,
    OciImageWeights,
    StorageClassWeights,
    StorageSettings,
    StreamerWeights,
    Weights,
)


def store_seconds(
    store: Weights, load: Load, storage: StorageSettings, models: Iterable[ModelSettings]
) -> Seconds | None:
    """From the store to GPU memory, what is fetched before the engine starts included; None where nobody stated a
    throughput.

    Args:
        models: all models, whose weights a file system may hold too.
    """
    if isinstance(store, EfsWeights):
        stored = sum(model.known_checkpoint_gib or 0.0 for model in models if model.weights == store.name)
        return efs(load, elastic=store.throughput == "elastic", stored_gib=stored)
    if isinstance(store, StreamerWeights):
        return s3_streamer(load, store.concurrency)
    if isinstance(store, MountpointWeights | OciImageWeights):
        return s3_mountpoint(load) if isinstance(store, MountpointWeights) else oci_image(load)
    if isinstance(store, StorageClassWeights):
        return stated(load, float(store.gib_per_second)) if store.gib_per_second else None
    if isinstance(store, NvmeCacheWeights):
        source = storage.weights_store(store.source)
        pace = store_seconds(source, load, storage, models) if source else None
        return copied(load, pace) if pace else (None if source else from_hub(load))
    return local(load)


def engine_seconds(
    store: Weights | None, load: Load, storage: StorageSettings, models: Iterable[ModelSettings]
) -> Seconds | None:
    """The part of it that the engine itself waits for, at best: what is on its node before it starts is read there."""
    if store is None:
        return from_hub(load)
    if isinstance(store, EfsWeights):
        return efs(load)  # a bursting one may have credits
    if isinstance(store, NvmeCacheWeights | OciImageWeights | KserveCacheWeights):
        return local(load)
    return store_seconds(store, load, storage, models)
