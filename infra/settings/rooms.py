"""Pools and models of the settings as the headroom planner sees them: what may start, and what asks for it."""

from collections.abc import Iterable, Sequence

from infra.catalog.instances import GpuInstanceType
from infra.planning.headroom import Machine, Room, Servers
from infra.planning.host_share import for_servers
from infra.planning.kserve import default_surge, default_unavailable
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.partitioning import MigLayoutSettings
from infra.settings.server_requests import in_memory_gib
from infra.settings.slices import devices_of, mig_of, share_of


def rooms_of(pools: Iterable[NodePoolSettings], own: Sequence[MigLayoutSettings]) -> list[Room]:
    """What each pool may start."""
    return [_room(pool, own) for pool in pools]


def servers_of(
    model: ModelSettings, pools: Sequence[NodePoolSettings], own: Sequence[MigLayoutSettings]
) -> Servers | None:
    """All servers of a model; None where what one asks for is not known, which other checks say.

    Args:
        pools: those that the model names; all of them, or nothing is known.
    """
    usable = [pool for pool in pools if model.traffic != "interactive" or set(pool.capacity_types) != {"spot"}]
    if not usable or len(pools) < len(set(model.node_pools)) or not all(_divides(pool, model, own) for pool in pools):
        return None
    share = share_of(model, pools, own)
    return Servers(
        # Names are unique within a namespace only.
        name=f"{model.namespace}/{model.name}",
        pools=tuple(pool.name for pool in usable),
        count=model.replicas * model.nodes,
        resource=share.resource,
        devices=share.count,
        cpu=model.resources.cpu or 0,
        memory_gib=model.resources.memory_gib + in_memory_gib(model) if model.resources.memory_gib else 0,
        apart=model.spread.nodes == "required",
    )


def prefill_servers(model: ModelSettings) -> ModelSettings | None:
    """The servers of a model that only read prompts, as a model; None where there are none."""
    prefill = model.kserve.prefill if model.kserve else None
    if prefill is None:
        return None
    cut = {"tensor_parallel": prefill.tensor_parallel or model.tensor_parallel, "replicas": prefill.replicas}
    return model.model_copy(update={**cut, "name": f"{model.name} (prefill)"})


def surge_of(model: ModelSettings) -> int:
    """Servers beyond its replicas while a version is exchanged by a surge. KServe decides in two of its three forms."""
    kserve = model.kserve
    if kserve and kserve.mode == "Knative":
        # A new revision comes with all of its own at once.
        return max(model.replicas, kserve.min_replicas or 0)
    if kserve and kserve.kind == "LLMInferenceService":
        return default_surge(model.replicas)
    return model.exchanged_at_once


def waits_for_room(model: ModelSettings) -> bool:
    """Whether a rollout keeps every old server until a new one is ready, so that without room it hangs."""
    if model.kserve and model.kserve.kind == "LLMInferenceService":
        return default_unavailable(model.replicas) == 0
    return model.rollout.strategy == "surge"


def _divides(pool: NodePoolSettings, model: ModelSettings, own: Sequence[MigLayoutSettings]) -> bool:
    """Whether it is known what a server of the model gets of a GPU of the pool."""
    if pool.partition is None:
        return True
    if not pool.partition.by_plugin:
        return False  # claimed devices are not counted
    if pool.partition.mig is None:
        return True
    found = mig_of(pool, own)
    return found is not None and (model.mig or next(iter(found[1].devices), "")) in found[1].devices


def _room(pool: NodePoolSettings, own: Sequence[MigLayoutSettings]) -> Room:
    machines = sorted(pool.candidates, key=lambda item: (item.usd_per_hour is None, item.usd_per_hour or 0, item.name))
    if pool.static_nodes:
        # Karpenter starts the cheapest, whatever pods ask for.
        machines = machines[:1]
        gpus = pool.static_nodes * machines[0].gpu_count
        return Room(pool.name, gpus, pool.static_nodes, (_machine(machines[0], pool, own),))
    return Room(
        pool.name,
        pool.limits.gpus,
        pool.limits.nodes,
        tuple(_machine(item, pool, own) for item in machines),
        pool.weight or 0,
    )


def _machine(item: GpuInstanceType, pool: NodePoolSettings, own: Sequence[MigLayoutSettings]) -> Machine:
    devices = devices_of(pool, own, item.gpu_count) if _known(pool, own) else {}
    return Machine(item.name, item.gpu_count, devices, for_servers(item.vcpu), for_servers(item.memory_gib))


def _known(pool: NodePoolSettings, own: Sequence[MigLayoutSettings]) -> bool:
    """Whether the pool's layout is one of its GPU; what is not is said elsewhere."""
    if pool.partition is None or pool.partition.mig is None:
        return True
    found = mig_of(pool, own)
    return found is not None and set(found[1].devices) <= set(found[0].profiles)
