"""Room for servers that span nodes, for canaries beside them, and for one more while a version is exchanged."""

from collections.abc import Iterator
from dataclasses import replace

from infra.errors import Problem
from infra.planning.headroom import Room, Servers, fleet_fits, neighbours
from infra.settings.checks.draft import Draft
from infra.settings.checks.rollout import is_in_the_way_of_none, limits_with_room, placeable
from infra.settings.models import ModelSettings
from infra.settings.rooms import Form, forms_of, rooms_of


def groups_have_room(draft: Draft) -> Iterator[Problem]:
    """Whole groups, and while a version is exchanged one more: half a group serves nobody and holds its GPUs."""
    rooms = rooms_of((pool for _, pool in draft.node_pools), draft.mig_layouts or ())
    forms = placeable(forms_of(draft.models, draft.pools_of, draft.mig_layouts or ()), rooms)
    stable, everything = [form.servers for form in forms if not form.is_canary], [form.servers for form in forms]
    told: set[str] = set()
    for form in forms:
        if form.model.nodes == 1 or not form.model.size.is_whole or form.stable in told:
            continue
        first = everything if form.is_canary else stable
        # Where a canary takes the place of groups themselves, it is told of the canary.
        found = _crowded(form, first, rooms) or _hangs(form, first, rooms) or _hangs(form, everything, rooms)
        if found:
            told.add(form.stable)
            yield found


def _crowded(form: Form, fleet: list[Servers], rooms: list[Room]) -> Problem | None:
    near = neighbours(form.servers, fleet)
    if fleet_fits(near, rooms) or is_in_the_way_of_none(form.servers, near, rooms):
        return None
    limits = limits_with_room(form.servers, _surge(form.model), near, rooms)
    return Problem(
        f"{form.stable}.canary" if form.is_canary else f"{form.stable}.replicas",
        _asked(form) + _others(form, near),
        f"whole groups beside all else: {_limits(form, rooms)}",
        f"write {limits}, or {'remove the canary' if form.is_canary else 'lower replicas'}",
    )


def _hangs(form: Form, fleet: list[Servers], rooms: list[Room]) -> Problem | None:
    """A surge that has no room beside groups that have some."""
    model, mine, surge = form.model, form.servers, _surge(form.model)
    near = neighbours(mine, fleet)
    with_surge = [replace(item, count=item.count + surge) if item is mine else item for item in near]
    if fleet_fits(with_surge, rooms) or not fleet_fits(near, rooms):
        return None
    left = max(0, model.replicas - model.exchanged_at_once)
    return Problem(
        f"{form.stable}.rollout",
        f"surge: {surge} more nodes of {mine.devices} GPUs while a version is exchanged, beside {_asked(form)}"
        + _others(form, near),
        f"room for it, or another strategy: {_limits(form, rooms)}",
        f"write {limits_with_room(mine, surge, near, rooms)}; or write rollout: {{strategy: replace}}, which serves"
        f" with {left} of {model.replicas} groups meanwhile",
    )


def _surge(model: ModelSettings) -> int:
    """Pods beyond its own while a version is exchanged."""
    return model.exchanged_at_once * model.nodes if model.rollout.strategy == "surge" else 0


def _asked(form: Form) -> str:
    model, mine = form.model, form.servers
    return f"{model.replicas} x {model.nodes} nodes of {mine.devices} GPUs, {mine.count * mine.devices} in all"


def _others(form: Form, near: list[Servers]) -> str:
    """What shares its pools, a canary among them."""
    others = [f"{item.name} {item.count} x {item.devices}" for item in near if item is not form.servers]
    return f"; on the same pools {', '.join(others)}" if others else ""


def _limits(form: Form, rooms: list[Room]) -> str:
    return ", ".join(
        f"{room.name} at most {room.gpu_limit} GPUs on {room.node_limit} nodes"
        for room in rooms
        if room.name in form.servers.pools
    )
