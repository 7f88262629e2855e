"""Pools and models of the settings as the headroom planner sees them: what may start, and what asks for it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from infra.catalog.instances import GpuInstanceType
from infra.planning.headroom import Machine, Room, Servers
from infra.planning.host_share import for_servers
from infra.planning.kserve import default_surge, default_unavailable
from infra.settings.canary import next_revision, servers_beside
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.partitioning import MigLayoutSettings
from infra.settings.server_requests import host_request
from infra.settings.slices import devices_of, mig_of, share_of


@dataclass(frozen=True, slots=True)
class Form:
    """What has servers of its own: a model, those of a model that only read prompts, or a canary as the model that it
    becomes.

    Attributes:
        stable: path of the model in the settings, the stable one where this is a canary.
        path: where the settings have this form.
    """

    stable: str
    path: str
    model: ModelSettings
    servers: Servers

    @property
    def is_canary(self) -> bool:
        """Whether it is the canary."""
        return self.path.endswith(".canary")

    @property
    def is_prefill(self) -> bool:
        """Whether its servers only read prompts."""
        return self.path.endswith(".prefill")


def forms_of(
    models: Iterable[tuple[int, ModelSettings]],
    pools_of: Callable[[ModelSettings], Sequence[NodePoolSettings]],
    own: Sequence[MigLayoutSettings],
) -> list[Form]:
    """The models, each followed by its prefill servers and its canary; those of which not all is known are left out."""
    return [
        Form(f"models[{index}]", f"models[{index}]{below}", form, servers)
        for index, model in models
        for below, form in with_own_servers(model)
        if (servers := servers_of(form, pools_of(form), own))
    ]


def with_own_servers(model: ModelSettings) -> Iterator[tuple[str, ModelSettings]]:
    """What has servers of its own for a model, each as a model, and where it stands below it in the settings."""
    yield "", model
    prefill = prefill_servers(model)
    if prefill:
        yield ".kserve.prefill", prefill
    yield from ((".canary", canary) for canary in servers_beside(model)[1:])


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
    # What asks for more GPUs than any machine has gets no share of one, and is told elsewhere.
    held = any(machine.gpu_count >= share.gpus for pool in pools for machine in pool.candidates)
    request = host_request(model, pools, own) if held else None
    return Servers(
        # Names are unique within a namespace only.
        name=f"{model.namespace}/{model.name}",
        pools=tuple(pool.name for pool in usable),
        count=most_replicas(model) * model.nodes,
        resource=share.resource,
        devices=share.count,
        cpu=request.cpu if request else 0,
        memory_gib=request.all_memory_gib if request else 0,
        apart=model.spread.nodes == "required",
    )


def prefill_servers(model: ModelSettings) -> ModelSettings | None:
    """The servers of a model that only read prompts, as a model; None where there are none."""
    prefill = model.kserve.prefill if model.kserve else None
    if prefill is None:
        return None
    cut = {"tensor_parallel": prefill.tensor_parallel or model.tensor_parallel, "replicas": prefill.replicas}
    return model.model_copy(update={**cut, "name": f"{model.name} (prefill)"})


def most_replicas(model: ModelSettings) -> int:
    """Servers that serve at once at most: what scales by requests may come to more than its replicas."""
    return (model.kserve.max_replicas if model.kserve else None) or model.replicas


def surge_of(model: ModelSettings) -> int:
    """Servers beyond its replicas while a version is exchanged by a surge. KServe decides in two of its three forms."""
    kserve = model.kserve
    if kserve and kserve.mode == "Knative":
        # A new revision comes with all of its own at once; a canary is the next one.
        return max(next_revision(model).replicas, kserve.min_replicas or 0)
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
