"""Rollouts that would hang, and servers that have no place at all: pools against everything that runs on them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from infra.errors import Problem
from infra.planning.headroom import Headroom, Room, Servers, fleet_fits, headroom, nearest_limits
from infra.planning.startup import StartupBudget
from infra.settings.checks.draft import Draft
from infra.settings.models import ModelSettings
from infra.settings.rooms import rooms_of, servers_of

if TYPE_CHECKING:
    from infra.settings.schema import PlatformSettings


def surge_has_room(draft: Draft) -> Iterator[Problem]:
    """A rollout that starts a new server first needs a node that may take it; else it hangs until its deadline."""
    fleet, rooms = _fleet(draft), rooms_of((pool for _, pool in draft.node_pools), draft.mig_layouts or ())
    # With more GPUs than any node has, it has a problem of its own and crowds nobody out.
    everything = [item for item in fleet.values() if _alone_fits(replace(item, cpu=0, memory_gib=0), rooms)]
    for index, model in draft.models:
        servers = fleet.get(index)
        if servers is None or model.nodes > 1 or not _alone_fits(servers, rooms):
            continue
        answer = headroom(servers.name, _surge(model), everything, rooms)
        if not answer.fits_without:
            yield _too_many(index, model, answer, everything, rooms)
        elif model.rollout.strategy == "surge" and not answer.fits:
            yield _no_headroom(index, model, answer, everything, rooms)


def _fleet(draft: Draft) -> dict[int, Servers]:
    """Servers by the model's index; models of which not all is known are left out."""
    found = {}
    for index, model in draft.models:
        servers = servers_of(model, draft.pools_of(model), draft.mig_layouts or ())
        if servers:
            found[index] = servers
    return found


def _surge(model: ModelSettings) -> int:
    """Servers beyond its replicas during a rollout. A new revision of Knative comes with all of its own at once."""
    kserve = model.kserve
    if kserve and kserve.mode == "Knative":
        return max(1, model.replicas if kserve.min_replicas is None else kserve.min_replicas)
    return 1 if kserve else model.exchanged_at_once


def _alone_fits(servers: Servers, rooms: list[Room]) -> bool:
    """Whether one server fits an empty pool; where not, parallel_fits_node says so."""
    return fleet_fits([replace(servers, count=1)], rooms)


def _too_many(index: int, model: ModelSettings, answer: Headroom, fleet: list[Servers], rooms: list[Room]) -> Problem:
    servers = answer.servers
    return Problem(
        f"models[{index}].replicas",
        f"{model.replicas} of {_devices(servers)}, beside what shares its pools ({_sharing(servers, fleet)})",
        f"servers that fit the limits of {_pools(servers, rooms)}",
        "lower replicas, or raise limits",
    )


def _no_headroom(
    index: int, model: ModelSettings, answer: Headroom, fleet: list[Servers], rooms: list[Room]
) -> Problem:
    servers, surge = answer.servers, answer.surge
    raised = nearest_limits(servers.name, surge, fleet, rooms)
    limits = f"limits: {{gpus: {raised[1]}, nodes: {raised[2]}}} for pool {raised[0]}" if raised else "larger limits"
    left = max(0, model.replicas - surge)
    patience = StartupBudget(model.startup_seconds).rollout_seconds
    replace_it = (
        f"; or write rollout: {{strategy: replace}}, which serves with {left} of {model.replicas} for up to"
        f" {model.startup_seconds} s at each exchange"
    )
    return Problem(
        f"models[{index}].rollout",
        f"surge: {surge} more of {_devices(servers)} while a new version starts, beside {answer.taken} that the"
        f" servers on its pools have ({_sharing(servers, fleet)})",
        f"room for it in {_pools(servers, rooms)}, or another strategy: without room the new server stays pending and"
        f" the rollout hangs until it fails after {patience} s",
        f"write {limits}{'' if model.kserve else replace_it}",
    )


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
