"""One server against the machines of its pools: one that none of them holds stays pending for ever."""

from collections.abc import Iterator

from infra.errors import Problem
from infra.planning.group_size import is_even_enough
from infra.planning.headroom import Machine, Room
from infra.planning.host_share import LEAST_HOST_GIB, host_share
from infra.settings.checks.draft import Draft
from infra.settings.checks.nearest_size import (
    as_written,
    in_numbers,
    nearest_size,
    possible_gpus,
    takes_whole_nodes,
)
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.rooms import rooms_of, servers_of
from infra.settings.server_requests import in_memory_gib
from infra.settings.slices import share_of


def parallel_fits_node(draft: Draft) -> Iterator[Problem]:
    """All GPUs that a server has on a node are one machine's, and within what the pool may start."""
    for index, model in draft.models:
        pools = _usable(draft, model)
        if not pools or any(pool.partition for pool in pools) or not _parts_are_right(model):
            continue  # said elsewhere
        largest = max(max(machine.gpus for machine in room.machines) for room in _rooms(draft, pools))
        if model.gpus > largest:
            if not takes_whole_nodes(model, pools):  # of those machines_hold_parts names the numbers
                yield _no_node(f"models[{index}]", draft, model, largest)
            continue
        for room in _rooms(draft, pools):
            holding = [machine.gpus for machine in room.machines if machine.gpus >= model.gpus]
            needed = min(holding, default=0)
            if needed > room.gpu_limit:
                wide = model.gpus > room.gpu_limit
                yield Problem(
                    f"models[{index}]." + (_widest(model, room.gpu_limit) if wide else "nodePools"),
                    in_numbers(model.size),
                    f"at most {room.gpu_limit}, the GPU limit of pool {room.name}"
                    + (f", whose smallest machine for it has {needed}" if needed > model.gpus else ""),
                    f"raise limits.gpus of {room.name} to {needed}, or remove it from nodePools",
                )


def host_fits_node(draft: Draft) -> Iterator[Problem]:
    """CPU, memory and /dev/shm of a server are in one machine, beside what the system and its agents take."""
    for index, model in draft.models:
        pools, path = _usable(draft, model), f"models[{index}]"
        machines = [machine for room in _rooms(draft, pools) for machine in room.machines if machine.gpus >= model.gpus]
        if not pools or not machines:
            continue  # too many GPUs: said above
        cpu = max(machine.cpu for machine in machines)
        memory = int(max(machine.memory_gib for machine in machines))
        names = ", ".join(model.node_pools)
        if (model.resources.cpu or 0) > cpu:
            yield Problem(
                f"{path}.resources.cpu",
                str(model.resources.cpu),
                f"at most {cpu}: what the machine of {names} with the most CPU has for servers, a fifth left to the"
                " system",
                f"write {cpu} or less, or name a pool with larger machines",
            )
        yield from _memory(path, model, memory, pools, draft)
        asked = (model.resources.cpu or 0, (model.resources.memory_gib or 0) + in_memory_gib(model))
        if asked[0] <= cpu and asked[1] <= memory and not any(_has(machine, *asked) for machine in machines):
            yield Problem(
                f"{path}.resources",
                f"{asked[0]} cores and {asked[1]} GiB",
                f"a machine of {names} with both; one with {cpu} cores and another with {memory} GiB are there",
                "lower one of the two, or name a pool with larger machines",
            )


def _no_node(path: str, draft: Draft, model: ModelSettings, largest: int) -> Problem:
    near = nearest_size(model, possible_gpus(draft, model))
    larger = "name a pool with larger nodes"
    return Problem(
        f"{path}.{_widest(model, largest)}",
        in_numbers(model.size),
        f"at most {largest} on a node: the largest machine of {', '.join(model.node_pools)} has that many GPUs",
        f"write {as_written(near, model.size)}, or {larger}" if near else larger,
    )


def _parts_are_right(model: ModelSettings) -> bool:
    """Whether parts are whole and stages even; of those that are not, the nearest that fits a node is named there."""
    layers, stages = model.shape.layers if model.shape else None, model.pipeline_parallel
    return model.size.is_whole and (not layers or stages == 1 or is_even_enough(layers, stages))


def _memory(
    path: str, model: ModelSettings, most: int, pools: list[NodePoolSettings], draft: Draft
) -> Iterator[Problem]:
    beside, own = in_memory_gib(model), model.resources.memory_gib
    if model.engine_options.kv_offload:
        return  # offload_fits_host counts all of it
    if own is not None and own + beside > most:
        yield Problem(
            f"{path}.resources.memoryGib",
            f"{own}" + (f" and {beside} for /dev/shm" if beside else ""),
            f"at most {most} GiB in all: what the machine of {', '.join(model.node_pools)} with the most memory has for"
            " servers, a fifth left to the system",
            f"write {most - beside} or less, or name a pool with larger machines"
            if most > beside
            else "name a pool with larger machines",
        )
    share = share_of(model, pools, draft.mig_layouts or ())
    candidates = [machine for pool in draft.pools_of(model) for machine in pool.candidates]
    room = host_share(candidates, share.gpus).memory_gib - LEAST_HOST_GIB
    if own is None and beside > max(0, room):
        yield Problem(
            f"{path}.sharedMemoryGib",
            str(model.shared_memory_gib),
            f"at most {max(0, room)}: the server's share of its node less {LEAST_HOST_GIB} GiB for the engine itself",
            f"write {room} or less" if room > 0 else "name a pool with larger machines",
        )


def _usable(draft: Draft, model: ModelSettings) -> list[NodePoolSettings]:
    """Pools that its servers may run on; none where one of them is unknown, or not valid, or divides its GPUs in a way
    that is said elsewhere."""
    pools = draft.pools_of(model)
    servers = servers_of(model, pools, draft.mig_layouts or ())
    return [pool for pool in pools if servers and pool.name in servers.pools]


def _rooms(draft: Draft, pools: list[NodePoolSettings]) -> list[Room]:
    return rooms_of(pools, draft.mig_layouts or ())


def _has(machine: Machine, cpu: int, memory_gib: int) -> bool:
    return machine.cpu >= cpu and machine.memory_gib >= memory_gib


def _widest(model: ModelSettings, gpus: int) -> str:
    """The first of its numbers by which a server is larger than so many GPUs on a node."""
    size = model.size
    if size.tensor_parallel > gpus:
        return "tensorParallel"
    in_stages = size.tensor_parallel * size.pipeline_parallel > gpus * size.nodes
    return "pipelineParallel" if in_stages else "engineOptions.dataParallel"
