"""Rollouts that would hang, and servers that have no place at all: pools against everything that runs on them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from infra.errors import Problem
from infra.planning.drain import DrainBudget
from infra.planning.headroom import Headroom, Room, Servers, fleet_fits, headroom, nearest_limits
from infra.planning.startup import StartupBudget
from infra.settings.checks.draft import Draft
from infra.settings.models import ModelSettings
from infra.settings.rooms import prefill_servers, rooms_of, servers_of, surge_of, waits_for_room

if TYPE_CHECKING:
    from infra.settings.schema import PlatformSettings


def surge_has_room(draft: Draft) -> Iterator[Problem]:
    """A rollout that starts a new server first needs a node that may take it; else it hangs until its deadline."""
    fleet, rooms = _fleet(draft), rooms_of((pool for _, pool in draft.node_pools), draft.mig_layouts or ())
    # With more GPUs than any node has, it has a problem of its own and crowds nobody out.
    everything = [item for _, item in fleet.values() if _alone_fits(replace(item, cpu=0, memory_gib=0), rooms)]
    for path, (model, servers) in fleet.items():
        if model.nodes > 1 or not _alone_fits(servers, rooms):
            continue
        answer = headroom(servers.name, surge_of(model), everything, rooms)
        if not answer.fits_without:
            yield _too_many(path, model, answer, everything, rooms)
        elif waits_for_room(model) and not answer.fits:
            yield _no_headroom(path, model, answer, everything, rooms)


def _fleet(draft: Draft) -> dict[str, tuple[ModelSettings, Servers]]:
    """Servers by where they stand in the settings, with their model; those of which not all is known are left out."""
    found = {}
    for index, model in draft.models:
        forms = {f"models[{index}]": model, f"models[{index}].kserve.prefill": prefill_servers(model)}
        for path, form in forms.items():
            servers = form and servers_of(form, draft.pools_of(model), draft.mig_layouts or ())
            if form and servers:
                found[path] = (form, servers)
    return found


def _alone_fits(servers: Servers, rooms: list[Room]) -> bool:
    """Whether one server fits an empty pool; where not, parallel_fits_node says so."""
    return fleet_fits([replace(servers, count=1)], rooms)


def _too_many(path: str, model: ModelSettings, answer: Headroom, fleet: list[Servers], rooms: list[Room]) -> Problem:
    servers = answer.servers
    return Problem(
        f"{path}.replicas",
        f"{model.replicas} of {_devices(servers)}, beside what shares its pools ({_sharing(servers, fleet)})",
        f"servers that fit the limits of {_pools(servers, rooms)}",
        "lower replicas, or raise limits",
    )


def _no_headroom(path: str, model: ModelSettings, answer: Headroom, fleet: list[Servers], rooms: list[Room]) -> Problem:
    servers, surge = answer.servers, answer.surge
    raised = nearest_limits(servers.name, surge, fleet, rooms)
    limits = f"limits: {{gpus: {raised[1]}, nodes: {raised[2]}}} for pool {raised[0]}" if raised else "larger limits"
    left = max(0, model.replicas - surge)
    drain = DrainBudget(model.drain.pre_stop_seconds, model.drain.shutdown_timeout_seconds)
    patience = StartupBudget(model.startup_seconds).exchange_seconds(drain.grace_period_seconds)
    replace_it = (
        f"; or write rollout: {{strategy: replace}}, which serves with {left} of {model.replicas} for up to"
        f" {model.startup_seconds} s at each exchange"
    )
    return Problem(
        f"{path}.replicas" if path.endswith("prefill") else f"{path}.rollout",
        f"surge: {surge} more of {_devices(servers)} while a new version starts, beside {answer.taken} that the"
        f" servers on its pools have ({_sharing(servers, fleet)})",
        f"room for it in {_pools(servers, rooms)}, or another strategy: without room the new server stays pending and"
        f" the rollout hangs until it fails after {patience} s",
        f"write {limits}{replace_it if _may_replace(model) else ''}",
    )


def _may_replace(model: ModelSettings) -> bool:
    """Whether an old server may go first: KServe allows it in mode Standard only."""
    return model.kserve is None or model.kserve.mode == "Standard"


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
