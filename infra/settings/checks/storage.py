"""What stores ask of the rest: networks, pools, models and add-ons that fit them, with the numbers."""

from collections.abc import Iterator

from infra.errors import Problem
from infra.planning.startup.weights import Load, efs
from infra.settings.checks.draft import Draft
from infra.settings.models import ModelSettings
from infra.settings.storage import (
    EfsWeights,
    KserveCacheWeights,
    MountpointWeights,
    NvmeCacheWeights,
    OciImageWeights,
    StorageClassWeights,
    StorageSettings,
    Weights,
)
from infra.settings.values import did_you_mean, is_commit

# Add-ons of EKS that mount a store; target existing is expected to have them.
_DRIVERS = {"efs": "aws-efs-csi-driver", "s3-mountpoint": "aws-mountpoint-s3-csi-driver"}


def known_stores(draft: Draft) -> Iterator[Problem]:
    """Every store that a model or a cache names is there."""
    if "storage" in draft.broken_areas:
        return
    names = [store.name for store in _storage(draft).weights]
    told = f"the name of a store under storage.weights: {', '.join(names) or 'there is none'}"
    for index, model in draft.models:
        if model.weights is not None and model.weights not in names:
            mend = did_you_mean(model.weights, names, "add the store, or leave weights out")
            yield Problem(f"models[{index}].weights", f'"{model.weights}"', told, mend)
    for position, store in enumerate(_storage(draft).weights):
        if isinstance(store, NvmeCacheWeights) and store.source is not None:
            able = [one.name for one in _storage(draft).weights if isinstance(one, EfsWeights | StorageClassWeights)]
            if store.source not in able:
                accepted = f"a store of kind efs or storage-class: {', '.join(able) or 'there is none'}"
                mend = did_you_mean(store.source, able, "add one, or leave source out to download from Hugging Face")
                yield Problem(f"storage.weights[{position}].source", f'"{store.source}"', accepted, mend)


def unique_stores(draft: Draft) -> Iterator[Problem]:
    """Names of stores become names of claims and volumes."""
    seen: set[str] = set()
    for path, name in _named(draft):
        if name in seen:
            yield Problem(f"{path}.name", f'"{name}"', "a name no other store has", "rename one of them")
        seen.add(name)


def pinned_downloads(draft: Draft) -> Iterator[Problem]:
    """What is downloaded once is downloaded at a commit, by a CPU node."""
    needs_cpu = False
    for index, model, store in _users(draft):
        fetched = store is not None and _is_fetched(store)
        if fetched and not is_commit(model.revision or ""):
            yield Problem(
                f"models[{index}].revision",
                "nothing" if model.revision is None else f'"{model.revision}"',
                f"a commit of {model.model}, 40 hexadecimal digits, because the store {model.weights} keeps one",
                f"copy it from https://huggingface.co/{model.model}/commits/main, and quote it",
            )
        needs_cpu = needs_cpu or (fetched and not isinstance(store, NvmeCacheWeights))
    if needs_cpu and draft.target == "eks" and draft.without_cpu_pool:
        yield Problem("cpuPool", "nothing", "a CPU pool, on which weights are downloaded", "add cpuPool with limits")


def writable_claims(draft: Draft) -> Iterator[Problem]:
    """A claim is mounted as its users need it."""
    for position, store in enumerate(_storage(draft).weights):
        if not isinstance(store, StorageClassWeights):
            continue
        path, users = f"storage.weights[{position}].accessMode", _models(draft, store)
        servers = sum(model.replicas for model in users)
        if store.download and store.access_mode == "ReadOnlyMany":
            yield Problem(
                path, '"ReadOnlyMany"', "a mode in which the download Job can write: ReadWriteMany",
                "write ReadWriteMany, or download: false where the models are there already",
            )  # fmt: skip
        elif store.access_mode == "ReadWriteOnce" and servers > 1:
            yield Problem(
                path, f'"ReadWriteOnce" with {servers} servers', "ReadWriteMany: servers stand on several nodes",
                "write ReadWriteMany, and name a class that can do it",
            )  # fmt: skip
    for position, checkpoints in enumerate(_storage(draft).checkpoints):
        if checkpoints.kind == "storage-class" and checkpoints.access_mode == "ReadOnlyMany":
            yield Problem(
                f"storage.checkpoints[{position}].accessMode", '"ReadOnlyMany"', "a mode in which a job can write",
                "write ReadWriteMany",
            )  # fmt: skip


def bursting_fits(draft: Draft) -> Iterator[Problem]:
    """Bursting throughput grows with what is stored and is no way to load a large model."""
    for position, store in enumerate(_storage(draft).weights):
        users = _models(draft, store)
        if not isinstance(store, EfsWeights) or store.throughput != "bursting" or not users:
            continue
        stored = sum(model.known_checkpoint_gib or 0.0 for model in users)
        slowest = max(users, key=lambda model: model.known_checkpoint_gib or 0.0)
        size = slowest.known_checkpoint_gib or 0.0
        found = efs(Load(size), elastic=False, stored_gib=stored)
        if found.low > slowest.startup_seconds:
            yield Problem(
                f"storage.weights[{position}].throughput",
                f'"bursting": {stored:.0f} GiB stored give {stored / 1024 * 50:.1f} MiB/s once credits are spent, so'
                f" {slowest.name} ({size:.0f} GiB) takes {found.low / 60:.0f} to {found.high / 60:.0f} min",
                f"a load within its startupSeconds, {slowest.startup_seconds} s; elastic takes {efs(Load(size))}",
                "write elastic",
            )


def zones_of_stores(draft: Draft) -> Iterator[Problem]:
    """A file system is reached from every zone of the pools that mount it."""
    zones = draft.network.zones if draft.network else ()
    for position, store in enumerate(_storage(draft).weights):
        if not isinstance(store, EfsWeights) or not zones:
            continue
        path, there = f"storage.weights[{position}].zones", store.zones or zones
        unknown = [zone for zone in store.zones if zone not in zones]
        if unknown:
            yield Problem(path, ", ".join(unknown), f"zones under network.zones: {', '.join(zones)}", "remove them")
            continue
        pools = {pool.name: pool for model in _models(draft, store) for pool in draft.pools_of(model)}
        wanted = {zone: name for name, pool in pools.items() for zone in draft.zones_of(pool)}
        missing = sorted(set(wanted) - set(there))
        if missing:
            yield Problem(
                path,
                f"{len(there)} zone(s): {', '.join(there)}",
                f"every zone of the pools that mount it; {wanted[missing[0]]} may start in {', '.join(missing)} too",
                f"add {', '.join(missing)}, or confine the pools' zones",
            )
    for position, checkpoints in enumerate(_storage(draft).checkpoints):
        if checkpoints.kind == "fsx-lustre" and zones and checkpoints.zone not in zones:
            yield Problem(
                f"storage.checkpoints[{position}].zone", f'"{checkpoints.zone}"',
                f"a zone under network.zones: {', '.join(zones)}", "name the zone of the training pool",
            )  # fmt: skip


def nvme_is_there(draft: Draft) -> Iterator[Problem]:
    """A cache on local NVMe needs machines that have it, and enough for every server of a node."""
    for index, model, store in _users(draft):
        if not isinstance(store, NvmeCacheWeights):
            continue
        size = model.known_checkpoint_gib or 0.0
        for pool in draft.pools_of(model):
            without = [machine.name for machine in pool.candidates if not machine.nvme_gb]
            small = [
                machine
                for machine in pool.candidates
                if machine.nvme_gb and machine.nvme_gb * 1e9 / 2**30 < size * 1.1 * max(
                    1, machine.gpu_count // model.gpus
                )
            ]  # fmt: skip
            if without:
                yield Problem(
                    f"models[{index}].weights", f'"{store.name}", a cache on NVMe',
                    f"a store that needs none: {', '.join(without)} of pool {pool.name} have no NVMe",
                    "name machines with NVMe (such as g6e, g6 or p5), or another store",
                )  # fmt: skip
            elif small:
                servers = max(1, small[0].gpu_count // model.gpus)
                yield Problem(
                    f"models[{index}].weights",
                    f'"{store.name}": {servers} servers of {size:.0f} GiB on one {small[0].name}',
                    f"at most what its NVMe holds, {small[0].nvme_gb * 1e9 / 2**30:.0f} GiB",
                    "name larger machines, or another store",
                )


def places_of_stores(draft: Draft) -> Iterator[Problem]:
    """A store of AWS needs AWS, its driver, and where it is not made here, its id."""
    addons = draft.cluster.addons if draft.cluster else ()
    for position, store in enumerate(_storage(draft).weights):
        path, driver = f"storage.weights[{position}].kind", _DRIVERS.get(store.kind)
        of_aws = isinstance(store, EfsWeights | MountpointWeights) or store.kind == "s3-streamer"
        if of_aws and draft.target == "local":
            yield Problem(path, f'"{store.kind}"', "a kind that needs no AWS with target local: storage-class, "
                          "nvme-cache or oci-image", "choose one of these")  # fmt: skip
        elif driver and draft.target == "eks" and draft.cluster and driver not in addons:
            yield Problem(path, f'"{store.kind}"', f"the add-on {driver} beside it", f"add {driver} to cluster.addons")
        elif isinstance(store, EfsWeights) and draft.target == "existing" and store.file_system_id is None:
            yield Problem(f"storage.weights[{position}].fileSystemId", "nothing",
                          "the id of a file system: with target existing none is made", "add fileSystemId")  # fmt: skip
        elif isinstance(store, KserveCacheWeights) and draft.target != "existing":
            yield Problem(path, '"kserve-cache"', "a cluster with KServe, which only target existing can have",
                          "use nvme-cache here")  # fmt: skip
    for position, checkpoints in enumerate(_storage(draft).checkpoints):
        if checkpoints.kind == "fsx-lustre" and draft.target == "eks" and "aws-fsx-csi-driver" not in addons:
            yield Problem(f"storage.checkpoints[{position}].kind", '"fsx-lustre"',
                          "the add-on aws-fsx-csi-driver beside it", "add it to cluster.addons")  # fmt: skip
        elif checkpoints.kind == "fsx-lustre" and draft.target not in ("eks", None):
            yield Problem(f"storage.checkpoints[{position}].kind", '"fsx-lustre"', "target eks, where it is made",
                          "use storage-class with a class of the cluster")  # fmt: skip


def buckets_made_here(draft: Draft) -> Iterator[Problem]:
    """Buckets are made with the foundation, which only target eks has."""
    if draft.target in ("eks", None):
        return
    storage = _storage(draft)
    for path, store in [
        *((f"storage.weights[{index}]", store) for index, store in enumerate(storage.weights)),
        *((f"storage.checkpoints[{index}]", store) for index, store in enumerate(storage.checkpoints)),
    ]:
        if getattr(store, "create", False):
            accepted = f"a bucket that is there: with target {draft.target} none is made"
            yield Problem(f"{path}.create", "true", accepted, "make the bucket elsewhere and remove create")


def kinds_fit_models(draft: Draft) -> Iterator[Problem]:
    """Some stores hold one model, and some are not for servers of ours."""
    for index, _, store in _users(draft):
        if isinstance(store, KserveCacheWeights):
            yield Problem(f"models[{index}].weights", f'"{store.name}", of kind kserve-cache',
                          "a store that a Deployment can mount: KServe mounts its cache into InferenceServices only",
                          "use nvme-cache")  # fmt: skip
        users = {f"{one.model}@{one.revision}" for one in _models(draft, store)} if store else set()
        if isinstance(store, OciImageWeights) and len(users) > 1:
            yield Problem(f"models[{index}].weights", f'"{store.name}", one artifact for {len(users)} models',
                          "a store of kind oci-image for each model", "add one")  # fmt: skip


def _storage(draft: Draft) -> StorageSettings:
    return draft.storage or StorageSettings()


def _named(draft: Draft) -> Iterator[tuple[str, str]]:
    storage = _storage(draft)
    yield from ((f"storage.weights[{index}]", store.name) for index, store in enumerate(storage.weights))
    yield from ((f"storage.checkpoints[{index}]", store.name) for index, store in enumerate(storage.checkpoints))


def _models(draft: Draft, store: Weights) -> list[ModelSettings]:
    """Models that load from a store, or whose cache is copied from it."""
    caches = {
        cache.name
        for cache in _storage(draft).weights
        if isinstance(cache, NvmeCacheWeights) and cache.source == store.name
    }
    return [model for _, model in draft.models if model.weights in {store.name, *caches}]


def _users(draft: Draft) -> Iterator[tuple[int, ModelSettings, Weights | None]]:
    for index, model in draft.models:
        if model.weights is not None:
            yield index, model, _storage(draft).weights_store(model.weights)


def _is_fetched(store: Weights) -> bool:
    return isinstance(store, EfsWeights | NvmeCacheWeights) or (
        isinstance(store, StorageClassWeights) and store.download
    )
