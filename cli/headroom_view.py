"""What a new version of each model would need, and what it would cost, as text and as data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.planning.headroom import Headroom, headroom
from infra.settings import PlatformSettings
from infra.settings.rooms import forms_of, rooms_of


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
    """One for each model and canary whose servers run on one node each and whose rollout is the settings' own; groups
    of nodes, Knative's revisions and LLMInferenceServices go their own way."""
    forms = forms_of(
        enumerate(settings.models),
        lambda model: [pool for pool in settings.node_pools if pool.name in model.node_pools],
        settings.mig_layouts,
    )
    fleet = [form.servers for form in forms]
    rooms = rooms_of(settings.node_pools, settings.mig_layouts)
    return [
        ModelRollout(
            form.servers.name,
            form.model.rollout.strategy,
            form.model.replicas,
            {"surge": form.model.replicas, "recreate": 0}.get(
                form.model.rollout.strategy, max(0, form.model.replicas - form.model.exchanged_at_once)
            ),
            form.model.startup_seconds,
            headroom(form.servers.name, form.model.exchanged_at_once, fleet, rooms),
        )
        for form in forms
        if form.model.nodes == 1 and (form.model.kserve is None or form.model.kserve.mode == "Standard")
    ]


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
