"""What a new version of each model would need, and what it would cost, as text and as data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.planning.headroom import Headroom, Servers, headroom
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.rooms import prefill_servers, rooms_of, servers_of


@dataclass(frozen=True, slots=True)
class ModelRollout:
    """The rollout of one model.

    Attributes:
        model: namespace and name.
        ready: fewest servers that are ready meanwhile.
        seconds: longest time one exchange takes once a machine is there.
        room: the answer of the planner.
    """

    model: str
    strategy: str
    replicas: int
    ready: int
    seconds: int
    room: Headroom


def rollouts_of(settings: PlatformSettings) -> list[ModelRollout]:
    """One for each model whose servers run on one node each and whose rollout is the settings' own; groups of nodes,
    Knative's revisions and LLMInferenceServices go their own way."""
    found = [(model, _servers(model, settings)) for model in settings.models]
    apart = [_servers(form, settings) for model in settings.models if (form := prefill_servers(model))]
    fleet = [servers for servers in [*(servers for _, servers in found), *apart] if servers]
    rooms = rooms_of(settings.node_pools, settings.mig_layouts)
    return [
        ModelRollout(
            servers.name,
            model.rollout.strategy,
            model.replicas,
            {"surge": model.replicas, "recreate": 0}.get(
                model.rollout.strategy, max(0, model.replicas - model.exchanged_at_once)
            ),
            model.startup_seconds,
            headroom(servers.name, model.exchanged_at_once, fleet, rooms),
        )
        for model, servers in found
        if servers and model.nodes == 1 and (model.kserve is None or model.kserve.mode == "Standard")
    ]


def _servers(model: ModelSettings, settings: PlatformSettings) -> Servers | None:
    pools = [pool for pool in settings.node_pools if pool.name in model.node_pools]
    return servers_of(model, pools, settings.mig_layouts)


def rollouts_as_text(rollouts: Sequence[ModelRollout]) -> str:
    """For people; ends with a newline. Nothing where there is no model."""
    lines = [line for item in rollouts for line in _lines(item)]
    return "\n".join(["A new version of a model", *lines]) + "\n" if lines else ""


def _lines(item: ModelRollout) -> Iterator[str]:
    room = item.room
    taken = f"{room.taken} of at most {room.most} {room.servers.resource} taken in {', '.join(room.servers.pools)}"
    if item.strategy != "surge":
        serve = f"{item.ready} of {item.replicas} serve"
        yield f"  {item.model}  {item.strategy}: {serve}, for up to {item.seconds} s at a time"
    elif not room.fits:
        yield f"  {item.model}  surge: no room, the rollout would hang; {taken}"
    elif room.fits_one_by_one:
        yield f"  {item.model}  surge: room for {room.surge} more; {taken}"
    else:
        yield f"  {item.model}  surge: room for {room.surge} more, on larger machines only; {taken}"


def rollouts_as_json(rollouts: Sequence[ModelRollout]) -> list[dict[str, object]]:
    """As data for machines."""
    return [
        {
            "model": item.model,
            "strategy": item.strategy,
            "replicas": item.replicas,
            "readyMeanwhile": item.ready,
            "secondsAtMost": item.seconds,
            "resource": item.room.servers.resource,
            "taken": item.room.taken,
            "most": item.room.most,
            "surge": item.room.surge,
            "fits": item.room.fits,
            "fitsOneByOne": item.room.fits_one_by_one,
        }
        for item in rollouts
    ]
