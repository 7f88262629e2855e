"""What a namespace asks of its quota beside pods: claims on storage, and load balancers of single models.

Held against the rendered objects by a test, so that the two cannot drift apart.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from infra.planning.quota import Objects
from infra.planning.weights import claim_gib
from infra.settings.canary import next_revision, servers_beside
from infra.settings.models import ModelSettings
from infra.settings.storage import (
    EfsWeights,
    LustreCheckpoints,
    MountpointWeights,
    NvmeCacheWeights,
    StorageClassCheckpoints,
    StorageClassWeights,
    StorageSettings,
    Weights,
)

_GIB = 2**30


def objects_of(namespace: str, models: Iterable[ModelSettings], storage: StorageSettings) -> list[Objects]:
    """What the models of a namespace, and the stores in it, ask for beside pods.

    Args:
        models: those of the namespace.
    """
    models = [form for model in models for form in _as_deployed(model)]
    return [*_claims_of_weights(models, storage), *_claims_of_checkpoints(namespace, storage), *_of_servers(models)]


def users_of_store(store: Weights, models: Iterable[ModelSettings], storage: StorageSettings) -> list[ModelSettings]:
    """Models that load from the store, or whose cache is copied from it."""
    caches = {
        cache.name for cache in storage.weights if isinstance(cache, NvmeCacheWeights) and cache.source == store.name
    }
    return [model for model in models if model.weights in {store.name, *caches}]


def gib_by_namespace(store: Weights, models: Iterable[ModelSettings], storage: StorageSettings) -> dict[str, int]:
    """GiB of weights by namespace, each model and revision counted once."""
    sizes: dict[str, dict[str, float]] = {}
    for model in users_of_store(store, models, storage):
        sizes.setdefault(model.namespace, {})[f"{model.model}@{model.revision}"] = model.known_checkpoint_gib or 0.0
    return {namespace: claim_gib(found.values()) for namespace, found in sorted(sizes.items())}


def _as_deployed(model: ModelSettings) -> tuple[ModelSettings, ...]:
    """A model and its canary; a revision of KServe's takes the model's place."""
    return (next_revision(model),) if model.canary and model.kserve else servers_beside(model)


def _claims_of_weights(models: list[ModelSettings], storage: StorageSettings) -> Iterator[Objects]:
    """A claim of the readers, and where a Job writes by another way one of its own: components/storage."""
    for store in storage.weights:
        for gib in gib_by_namespace(store, models, storage).values():
            if isinstance(store, StorageClassWeights):
                yield _claims(f"the store {store.name}", 1, store.capacity_gib or gib)
            elif isinstance(store, EfsWeights | MountpointWeights):
                yield _claims(f"the store {store.name}", 2 if isinstance(store, EfsWeights) else 1, gib)


def _claims_of_checkpoints(namespace: str, storage: StorageSettings) -> Iterator[Objects]:
    for store in storage.checkpoints:
        if store.namespace == namespace and isinstance(store, LustreCheckpoints | StorageClassCheckpoints):
            yield _claims(f"the checkpoints {store.name}", 1, store.capacity_gib)


def _of_servers(models: list[ModelSettings]) -> Iterator[Objects]:
    for model in models:
        if model.compile_cache.kind == "claim" and model.kserve is None and model.nodes == 1:
            yield _claims(f"the compile cache of {model.name}", 1, model.compile_cache.gib)
        if model.expose and model.expose.kind == "LoadBalancer":
            yield Objects(f"models[].expose of {model.name}", {"services.loadbalancers": Decimal(1)})


def _claims(owner: str, count: int, gib: int) -> Objects:
    """Claims of one size."""
    return Objects(
        owner, {"persistentvolumeclaims": Decimal(count), "requests.storage": Decimal(count) * gib * Decimal(_GIB)}
    )
