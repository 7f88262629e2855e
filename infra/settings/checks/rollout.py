"""Rollouts that would hang, and servers that have no place at all: pools against everything that runs on them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from infra.errors import Problem
from infra.planning.headroom import Room, Servers, fleet_fits, headroom, nearest_limits, neighbours
from infra.planning.startup import StartupBudget
from infra.settings.checks.draft import Draft
from infra.settings.checks.workloads import drain_budget
from infra.settings.models import ModelSettings
from infra.settings.rooms import Form, forms_of, most_replicas, rooms_of, surge_of, waits_for_room

if TYPE_CHECKING:
    from infra.settings.schema import PlatformSettings


def surge_has_room(draft: Draft) -> Iterator[Problem]:
    """A rollout that starts a new server first needs a node that may take it; else it hangs until its deadline.

    Canaries come on top: what has room without them and none beside them is told once, and names them.
    """
    rooms = rooms_of((pool for _, pool in draft.node_pools), draft.mig_layouts or ())
    forms = placeable(forms_of(draft.models, draft.pools_of, draft.mig_layouts or ()), rooms)
    stable, everything = [form.servers for form in forms if not form.is_canary], [form.servers for form in forms]
    told: set[str] = set()
    for form in forms:
        if form.model.nodes > 1 or (form.is_canary and form.stable in told):
            continue
        if form.is_canary:
            found = _crowded(form, everything, rooms) or _hangs(form, everything, rooms)
        else:
            found = _crowded(form, stable, rooms) or _hangs(form, stable, rooms) or _hangs(form, everything, rooms)
        if found:
            told.add(form.path)
            yield found


def placeable(forms: list[Form], rooms: list[Room]) -> list[Form]:
    """Those of which a node can hold one. The others have a problem of their own and crowd nobody out: with more GPUs
    than any node has they are left out, with more CPU or memory only their GPUs count."""
    found = []
    for form in forms:
        bare = replace(form.servers, cpu=0, memory_gib=0)
        if _alone_fits(bare, rooms):
            found.append(form if _alone_fits(form.servers, rooms) else replace(form, servers=bare))
    return found


def is_in_the_way_of_none(servers: Servers, fleet: list[Servers], rooms: list[Room]) -> bool:
    """Whether what has no room had some without one other model, and would have none without this one."""
    near = neighbours(servers, fleet)
    enough = [item for item in near if fleet_fits([each for each in near if each is not item], rooms)]
    return bool(enough) and all(item is not servers for item in enough)


def _crowded(form: Form, fleet: list[Servers], rooms: list[Room]) -> Problem | None:
    """Servers that have no place at all."""
    servers = form.servers
    if headroom(servers.name, surge_of(form.model), fleet, rooms).fits_without:
        return None
    if is_in_the_way_of_none(servers, fleet, rooms):
        return None  # said of those that are
    surge = surge_of(form.model) if waits_for_room(form.model) else 0
    limits, field = limits_with_room(servers, surge, fleet, rooms), _counted(form.model)
    return Problem(
        form.path if form.is_canary else f"{form.path}.{field}",
        f"{servers.count} of {_devices(servers)}, beside what shares its pools ({_sharing(servers, fleet)})",
        f"servers that fit the limits of {_pools(servers, rooms)}",
        f"write {limits}, or {'remove the canary' if form.is_canary else f'lower {field}'}",
    )


def _counted(model: ModelSettings) -> str:
    """Where the settings say how many servers there may be."""
    return "kserve.maxReplicas" if most_replicas(model) > model.replicas else "replicas"


def _hangs(form: Form, fleet: list[Servers], rooms: list[Room]) -> Problem | None:
    """A surge that has no place beside servers that have one."""
    servers, model, surge = form.servers, form.model, surge_of(form.model)
    answer = headroom(servers.name, surge, fleet, rooms)
    if not waits_for_room(model) or answer.fits or not answer.fits_without:
        return None
    left, chosen = max(0, model.replicas - surge), _may_replace(model)
    patience = StartupBudget(model.startup_seconds).exchange_seconds(drain_budget(model).grace_period_seconds)
    replace_it = (
        f"; or write rollout: {{strategy: replace}}, which serves with {left} of {model.replicas} for up to"
        f" {model.startup_seconds} s at each exchange"
    )
    return Problem(
        f"{form.path}.replicas" if form.is_prefill else f"{form.stable}.rollout",
        f"surge: {surge} more of {_devices(servers)} while a new version starts, beside {answer.taken} that the"
        f" servers on its pools have ({_sharing(servers, fleet)})",
        f"room for it in {_pools(servers, rooms)}{', or another strategy' if chosen else ''}: without room the new"
        f" server stays pending and the rollout hangs until it fails after {patience} s",
        f"write {limits_with_room(servers, surge, fleet, rooms)}{replace_it if chosen else ''}",
    )


def _may_replace(model: ModelSettings) -> bool:
    """Whether an old server may go first: KServe allows it in mode Standard only."""
    return model.kserve is None or model.kserve.mode == "Standard"


def limits_with_room(servers: Servers, surge: int, fleet: list[Servers], rooms: list[Room]) -> str:
    """The nearest limits with room for all servers of a model and its surge, as a user writes them."""
    none = [replace(item, count=0) if item is servers else item for item in fleet]
    found = nearest_limits(servers.name, servers.count + surge, none, rooms)
    return f"limits: {{gpus: {found[1]}, nodes: {found[2]}}} for pool {found[0]}" if found else "larger limits"


def _alone_fits(servers: Servers, rooms: list[Room]) -> bool:
    """Whether one server fits an empty pool; where not, parallel_fits_node says so."""
    return fleet_fits([replace(servers, count=1)], rooms)


def _devices(servers: Servers) -> str:
    return f"{servers.devices} {servers.resource}"


def _sharing(servers: Servers, fleet: list[Servers]) -> str:
    near = [item for item in fleet if item.resource == servers.resource and set(item.pools) & set(servers.pools)]
    return ", ".join(
        f"{item.name} {item.count} x {item.devices}"
        + (" which may also run elsewhere" if set(item.pools) - set(servers.pools) else "")
        for item in near
    )


def _pools(servers: Servers, rooms: list[Room]) -> str:
    return " and ".join(
        f"{room.name} (at most {room.gpu_limit} GPUs on {room.node_limit} nodes)"
        for room in rooms
        if room.name in servers.pools
    )


def rollout_problems(settings: "PlatformSettings") -> list[Problem]:
    """What is wrong with rollouts in settings that are otherwise valid; for those who ask before they change one."""
    draft = Draft(
        node_pools=tuple(enumerate(settings.node_pools)),
        models=tuple(enumerate(settings.models)),
        mig_layouts=settings.mig_layouts,
    )
    return [*surge_has_room(draft)]
