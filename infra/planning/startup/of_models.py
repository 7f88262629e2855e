"""The start of every model of an environment, with the storage it has and with what it could have."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.catalog.instances import GpuInstanceType
from infra.planning.host_share import host_share
from infra.planning.startup.ranges import Seconds
from infra.planning.startup.weights import (
    Load,
    copied,
    efs,
    from_hub,
    image,
    local,
    node,
    oci_image,
    s3_mountpoint,
    s3_streamer,
)
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.weight_loads import store_seconds

IMAGE_WAYS = {
    "plain": "image pulled",
    "soci": "image pulled in parallel (SOCI)",
    "cached": "image in the node's volume",
}


@dataclass(frozen=True, slots=True)
class Start:
    """One model with one storage.

    Attributes:
        storage: kind, as in the settings; `hub` where each server downloads for itself.
        weights: seconds for the weights; None where nobody stated a throughput.
        total: node, image and weights.
    """

    storage: str
    weights: Seconds | None
    total: Seconds | None


@dataclass(frozen=True, slots=True)
class ModelStart:
    """The start of one model.

    Attributes:
        machine: the leanest machine that may hold it; the estimate is for that one.
        images: the engine's image, by the way it comes; `image_way` is this pool's.
        chosen: with the storage of the settings.
        others: with every other kind.
    """

    model: str
    namespace: str
    size_gib: float
    machine: str
    node: Seconds
    image_way: str
    images: dict[str, Seconds]
    chosen: Start
    others: tuple[Start, ...] = field(default=())


def starts_of(settings: PlatformSettings) -> list[ModelStart]:
    """Every model whose size is known, in the order of the settings."""
    return [_start(model, settings) for model in settings.models if model.known_checkpoint_gib]


def _start(model: ModelSettings, settings: PlatformSettings) -> ModelStart:
    pools = [pool for pool in settings.node_pools if pool.name in model.node_pools]
    machines = [machine for pool in pools for machine in pool.candidates]
    machine = _leanest(machines, model.gpus)
    way = "soci" if all(pool.pulls_in_parallel for pool in pools) else "plain"
    images = {how: image(how) for how in IMAGE_WAYS}
    before = node() + images[way]
    share = host_share(machines, model.gpus)
    load = Load(
        size_gib=model.download_gib,
        tensor_parallel=model.tensor_parallel,
        memory_gib=model.resources.memory_gib or share.memory_gib,
        network_gbps=machine.network_gbps or float("inf"),
        nvme=all(item.nvme_gb for item in machines),
        servers=model.replicas,
    )
    store = settings.storage.weights_store(model.weights)
    chosen = store.kind if store else "hub"
    weights = store_seconds(store, load, settings.storage, settings.models) if store else from_hub(load)
    others = [(kind, seconds) for kind, seconds in _alternatives(load) if kind != chosen]
    return ModelStart(
        model=model.name,
        namespace=model.namespace,
        size_gib=load.size_gib,
        machine=machine.name,
        node=node(),
        image_way=way,
        images=images,
        chosen=Start(chosen, weights, before + weights if weights else None),
        others=tuple(Start(kind, seconds, before + seconds) for kind, seconds in others),
    )


def _leanest(machines: list[GpuInstanceType], gpus: int) -> GpuInstanceType:
    """The machine with the least network a GPU among those with enough GPUs; what is true for it is true for all."""
    able = [machine for machine in machines if machine.gpu_count >= gpus]
    return min(able, key=lambda machine: (machine.network_gbps or float("inf"), machine.name))


def _alternatives(load: Load) -> Iterator[tuple[str, Seconds]]:
    yield "hub", from_hub(load)
    yield "efs", efs(load)
    yield "s3-streamer", s3_streamer(load)
    yield "s3-mountpoint", s3_mountpoint(load)
    if load.nvme:
        yield "nvme-cache", copied(load, efs(load))
        yield "kserve-cache", local(load)
    yield "oci-image", oci_image(load)
