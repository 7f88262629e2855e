"""What a model's server gets on its pools: whole GPUs, a slice of one, or a share; and how much of a node that is."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.catalog.mig import MigGpu, MigProfile
from infra.conventions import GPU_RESOURCE
from infra.planning.mig import MigLayout, mig_capacity, mig_resource, shared_capacity
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.partitioning import MigLayoutSettings, layout_of


@dataclass(frozen=True, slots=True)
class Share:
    """What one server asks for.

    Attributes:
        resource: the extended resource.
        count: how many of it.
        gpus: how many GPUs of its node that is; a part where the GPU is divided.
        profile: the MIG profile; empty otherwise.
    """

    resource: str
    count: int
    gpus: float
    profile: str = ""


def mig_of(pool: NodePoolSettings, own: Sequence[MigLayoutSettings]) -> tuple[MigGpu, MigLayout] | None:
    """GPU and layout of a pool that is cut by MIG; None for any other, and where either is not known."""
    if pool.partition is None or pool.partition.mig is None or pool.mig_gpu is None:
        return None
    layout = layout_of(pool.partition, pool.mig_gpu, own)
    return (pool.mig_gpu, layout) if layout else None


def profiles_of(pool: NodePoolSettings, own: Sequence[MigLayoutSettings]) -> dict[str, MigProfile]:
    """The slices that a pool's GPUs are cut into; empty where they are not."""
    found = mig_of(pool, own)
    return {name: found[0].profiles[name] for name in found[1].devices} if found else {}


def share_of(model: ModelSettings, pools: Sequence[NodePoolSettings], own: Sequence[MigLayoutSettings]) -> Share:
    """What a server of `model` asks for on `pools`, which checks have found to agree."""
    pool = pools[0] if pools else None
    if pool is None or pool.partition is None:
        return Share(GPU_RESOURCE, model.gpus, model.gpus)
    found = mig_of(pool, own)
    if found is None:
        return Share(GPU_RESOURCE, 1, 1 / pool.partition.replicas)
    gpu, layout = found
    name = model.mig or next(iter(layout.devices))
    part = gpu.profiles[name].memory_units / gpu.memory_units
    return Share(mig_resource(gpu, name, pool.partition.strategy), 1, part, name)


def devices_of(pool: NodePoolSettings, own: Sequence[MigLayoutSettings], gpus: int) -> dict[str, int]:
    """What the device plugin reports on a node of the pool with `gpus` GPUs, by resource."""
    found = mig_of(pool, own)
    if found and pool.partition:
        return mig_capacity(*found, pool.partition.strategy, gpus)
    return dict(shared_capacity(pool.partition.replicas if pool.partition else 1, gpus))
