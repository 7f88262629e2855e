"""The cut of a model over GPUs that is closest to the one asked for and can be."""

from collections.abc import Iterator
from dataclasses import replace

from infra.catalog.models import ModelShape
from infra.planning.group_size import GroupSize, is_even_enough
from infra.settings.checks.draft import Draft
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.rooms import rooms_of, servers_of

# More GPUs than this for one server are not searched; no model needs a tenth of them.
_MOST_GPUS = 1024


def nearest_size(model: ModelSettings, gpus_per_node: list[int]) -> GroupSize | None:
    """The cut with the fewest changed numbers, and among those the one with about as many GPUs.

    Args:
        gpus_per_node: how many GPUs of each of its nodes a server may have.
    """
    asked = model.size
    found = [
        size
        for count in gpus_per_node
        for size in _sizes(model.nodes, count)
        if divides(model, size) and (model.nodes > 1 or _is_part(size, asked))
    ]

    def distance(size: GroupSize) -> tuple[int, ...]:
        return (
            sum(one != other for one, other in zip(_numbers(size), _numbers(asked), strict=True)),
            abs(size.gpus - asked.gpus),
            -size.gpus,
            # What shares a layer is faster than what follows it, and a copy needs all the weights again.
            -size.tensor_parallel,
            -size.pipeline_parallel,
        )

    return min(found, key=distance, default=None)


def possible_gpus(draft: Draft, model: ModelSettings) -> list[int]:
    """How many GPUs of one node its server may have; none where that is not known or is said elsewhere."""
    pools = draft.pools_of(model)
    servers = servers_of(model, pools, draft.mig_layouts or ())
    usable = [pool for pool in pools if servers and pool.name in servers.pools]
    if not usable or any(pool.partition for pool in usable):
        return []
    rooms = rooms_of(usable, draft.mig_layouts or ())
    counts = [{machine.gpus for machine in room.machines if machine.gpus <= room.gpu_limit} for room in rooms]
    if takes_whole_nodes(model, usable):
        return sorted(set.intersection(*counts))
    return list(range(1, min((max(each, default=0) for each in counts), default=0) + 1))


def takes_whole_nodes(model: ModelSettings, pools: list[NodePoolSettings]) -> bool:
    """Whether each pod of a group has all GPUs of its node, as it must over EFA."""
    return model.nodes > 1 and model.group.transport == "efa" and any(pool.fabric == "efa" for pool in pools)


def divides(model: ModelSettings, size: GroupSize) -> bool:
    """Whether the model can be cut so: heads, layers, experts, and whole parts on each node."""
    shape = model.shape
    if not size.is_whole or (model.engine_options.expert_parallel and size.gpus == 1):
        return False
    if shape is None:
        return True
    if not _divides_heads(shape, size.tensor_parallel):
        return False
    return size.pipeline_parallel == 1 or not shape.layers or is_even_enough(shape.layers, size.pipeline_parallel)


def nearest_tensor_parallel(draft: Draft, model: ModelSettings) -> int:
    """The tensorParallel that is closest to the one asked for, divides the heads of the model, whose shape is known,
    and, where one does, is what a node of its pools has."""
    shape, asked = model.shape, model.size
    cuts = [number for number in range(1, _MOST_GPUS + 1) if shape is None or _divides_heads(shape, number)]
    possible = possible_gpus(draft, model)
    on_a_node = [number for number in cuts if replace(asked, tensor_parallel=number).gpus_per_node in possible]
    return min(on_a_node or cuts, key=lambda number: (abs(number - asked.tensor_parallel), number))


def _divides_heads(shape: ModelShape, cut: int) -> bool:
    """Whether each GPU has equally many query heads, and the key-value heads are divided or copied evenly; with MLA
    every GPU holds the one latent head."""
    if shape.attention_heads and shape.attention_heads % cut:
        return False
    return not shape.kv_heads or "MLA" in shape.attention or not shape.kv_heads % cut or not cut % shape.kv_heads


def as_written(size: GroupSize, asked: GroupSize) -> str:
    """The settings of a cut that differ from those asked for, as a user writes them."""
    names = ("tensorParallel", "pipelineParallel", "engineOptions.dataParallel")
    pairs = zip(names, _numbers(size), _numbers(asked), strict=True)
    return " and ".join(f"{name}: {number}" for name, number, before in pairs if number != before)


def in_numbers(size: GroupSize) -> str:
    """The numbers of a cut that are not 1, and the GPUs they make."""
    pairs = zip(("tensorParallel", "pipelineParallel", "dataParallel"), _numbers(size), strict=True)
    cut = " x ".join(f"{name} {number}" for name, number in pairs if number > 1) or "tensorParallel 1"
    cut += f": {size.gpus} GPU{'s' if size.gpus > 1 else ''}"
    return cut if size.nodes == 1 else f"{cut} over {size.nodes} nodes, {size.gpus_per_node} on each"


def _sizes(nodes: int, gpus_per_node: int) -> Iterator[GroupSize]:
    gpus = nodes * gpus_per_node
    if gpus > _MOST_GPUS:
        return
    for tensor in _divisors(gpus):
        for stages in _divisors(gpus // tensor):
            yield GroupSize(nodes, tensor, stages, gpus // tensor // stages)


def _is_part(size: GroupSize, asked: GroupSize) -> bool:
    """Whether no number is larger than asked: an engine may lack what nobody asked of it."""
    return all(one <= other for one, other in zip(_numbers(size), _numbers(asked), strict=True))


def _divisors(number: int) -> list[int]:
    return [each for each in range(1, number + 1) if number % each == 0]


def _numbers(size: GroupSize) -> tuple[int, int, int]:
    return size.tensor_parallel, size.pipeline_parallel, size.data_parallel
