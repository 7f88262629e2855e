"""What the models of a namespace ask of its quota when there are most of them: during a rollout, and beside downloads.

Held against the rendered objects by a test, so that the two cannot drift apart.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from infra.planning.host_share import cache_gib
from infra.planning.quota import Ask
from infra.planning.weights import claim_gib
from infra.settings.gateway import EndpointPickerSettings
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.partitioning import MigLayoutSettings
from infra.settings.rooms import most_replicas, surge_of, with_own_servers
from infra.settings.server_requests import host_request
from infra.settings.slices import mig_of, share_of
from infra.settings.storage import (
    EfsWeights,
    KserveCacheWeights,
    NvmeCacheWeights,
    StorageClassWeights,
    StorageSettings,
)

_GIB = 2**30

# A download Job, and the init container that copies weights to a node's own disks: components/storage.
_DOWNLOAD = {"cpu": Decimal(2), "memory": Decimal(_GIB)}
_COPY_CPU = 2

# The Jobs of a canary: components/serving/canary. Checks of the answers run one after the other.
_ROLLOUT = {"cpu": Decimal("0.05"), "memory": Decimal(64 * 2**20)}
_CHECK = {"cpu": Decimal("0.5"), "memory": Decimal(_GIB)}

PoolsOf = Callable[[ModelSettings], Sequence[NodePoolSettings]]


def asks_of(
    models: Iterable[ModelSettings], pools_of: PoolsOf, own: Sequence[MigLayoutSettings], storage: StorageSettings
) -> list[Ask]:
    """What these models and their canaries ask for; one whose pools are not all known and valid is left out, which is
    said elsewhere."""
    models = list(models)
    forms = [form for model in models for _, form in with_own_servers(model)]
    known = [model for model in forms if _is_known(model, pools_of(model), own)]
    servers = [ask_of(model, pools_of(model), own, storage) for model in known]
    return [*servers, *_pickers_of_kserve(models), *_downloads(known, storage), *_rollouts(models)]


def ask_of(
    model: ModelSettings, pools: Sequence[NodePoolSettings], own: Sequence[MigLayoutSettings], storage: StorageSettings
) -> Ask:
    """What the servers of one model ask for, those of a rollout among them."""
    share = share_of(model, pools, own)
    host = host_request(model, pools, own)
    store = storage.weights_store(model.weights)
    size = model.known_checkpoint_gib or 0.0
    disk = cache_gib(model.download_gib if store is None or isinstance(store, KserveCacheWeights) else 0)
    cpu = host.cpu
    if isinstance(store, NvmeCacheWeights):
        disk += claim_gib([size])
        cpu = max(cpu, _COPY_CPU)
    requests = {
        "cpu": Decimal(cpu),
        "memory": Decimal(_GIB) * host.all_memory_gib,
        "ephemeral-storage": Decimal(_GIB) * disk,
        share.resource: Decimal(share.count),
    }
    return Ask(model.name, pods_at_most(model), requests)


def pickers_of(models: Iterable[ModelSettings], picker: EndpointPickerSettings) -> list[Ask]:
    """The gateway's endpoint pickers of these models, which stand in their namespace."""
    requests = {"cpu": Decimal(picker.cpu), "memory": Decimal(_GIB) * picker.memory_gib}
    return [Ask(f"the endpoint picker of {model.name}", picker.replicas, requests) for model in models]


def _pickers_of_kserve(models: Iterable[ModelSettings]) -> Iterator[Ask]:
    """Endpoint pickers of LLMInferenceServices; their Deployment is recreated, so a rollout adds none."""
    for model in models:
        if model.kserve and model.kserve.kind == "LLMInferenceService":
            picker = model.kserve.scheduler
            requests = {"cpu": Decimal(picker.cpu), "memory": Decimal(_GIB) * picker.memory_gib}
            yield Ask(f"KServe's endpoint picker of {model.name}", picker.replicas, requests)


def pods_at_most(model: ModelSettings) -> int:
    """Pods of a model at once: its servers, and those that a rollout starts before old ones go."""
    if model.kserve and model.kserve.mode == "Knative":
        # The old revision serves until the new one is ready.
        return most_replicas(model) + surge_of(model)
    surges = model.rollout.strategy == "surge"  # the default, and all that an LLMInferenceService has
    return model.nodes * (model.replicas + (surge_of(model) if surges else 0))


def downloads_itself(model: ModelSettings, storage: StorageSettings) -> bool:
    """Whether its engine, or a container before it, fetches weights from outside the cluster when it starts."""
    store = storage.weights_store(model.weights)
    if store is None:
        return not model.model.startswith(("/", "."))  # a path is in the image
    return store.kind == "s3-streamer" or (isinstance(store, NvmeCacheWeights) and not store.source)


def fetching_store(model: ModelSettings, storage: StorageSettings) -> str:
    """The store that a download Job in the model's namespace fills for it; empty where there is none."""
    store = storage.weights_store(model.weights)
    if isinstance(store, NvmeCacheWeights):
        store = storage.weights_store(store.source)
    by_job = isinstance(store, EfsWeights) or (isinstance(store, StorageClassWeights) and store.download)
    return store.name if store and by_job else ""


def _downloads(models: Iterable[ModelSettings], storage: StorageSettings) -> Iterator[Ask]:
    """Download Jobs: one for each commit and store of a namespace."""
    jobs = {
        (store, model.namespace, model.model, model.revision): model
        for model in models
        if (store := fetching_store(model, storage))
    }
    yield from (Ask(f"the download of {model.name}", 1, _DOWNLOAD) for model in jobs.values())


def _rollouts(models: Iterable[ModelSettings]) -> Iterator[Ask]:
    """Jobs that move the traffic to canaries, and look at their answers. What changes routes is in the gateway's
    namespace; only that of a revision of KServe's is beside the servers."""
    for model in models:
        if model.canary and model.kserve:
            yield Ask(f"the rollout of {model.name}'s canary", 1, _ROLLOUT)
        if model.canary and model.canary.quality_check and model.canary.quality_check.image:
            yield Ask(f"the quality check of {model.name}'s canary", 1, _CHECK)


def _is_known(model: ModelSettings, pools: Sequence[NodePoolSettings], own: Sequence[MigLayoutSettings]) -> bool:
    """Whether it can be reckoned what a server of the model gets."""
    if not pools or len(pools) < len(set(model.node_pools)):
        return False
    if not any(item.gpu_count >= model.gpus for pool in pools for item in pool.candidates):
        return False
    first = pools[0].partition
    if first is None or first.mig is None:
        return True
    found = mig_of(pools[0], own)
    return found is not None and (model.mig or next(iter(found[1].devices))) in found[0].profiles
