"""The words of a blast radius: its verdict in one sentence, names of many resources, and what they touch together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cli.value_view import duration
from infra.planning.blast_radius import BlastRadius, Effect, Finding
from infra.planning.blast_radius.durations import NOTHING, Range

if TYPE_CHECKING:
    from infra.plan import PlannedResource

_NAMES_SHOWN = 4

_HEADINGS = {
    Effect.REPLACE: "Replaced: the old one goes, another is made",
    Effect.DELETE: "Deleted",
    Effect.DRAIN: "Nodes replaced, their pods move",
    Effect.RESTART: "Pods restarted",
    Effect.NOT_KNOWN: "Changed, effect not known",
    Effect.UPGRADE: "Upgraded in place by EKS or Helm; model servers stay",
    Effect.SCALE: "Scaled",
}


def heading(effect: Effect) -> str:
    """The title above the findings of one effect."""
    return _HEADINGS[effect]


def verdict(found: BlastRadius) -> str:
    """One sentence: what is replaced, restarted and drained, for how many GPU-hours, and whether data is at stake."""
    if not found.findings:
        return "no difference"
    parts = [*_counted("replace", found, Effect.REPLACE), *_counted("delete", found, Effect.DELETE)]
    if found.restarted:
        owners = len(found.restarted)
        parts.append(f"restarts {many(sum(found.restarted.values()), 'replica')} of {many(owners, 'model')}")
    if found.stopped:
        parts.append(f"stops {many(sum(found.stopped.values()), 'replica')} of {many(len(found.stopped), 'model')}")
    if found.nodes:
        gpus = f"with {many(found.gpus, 'GPU')}" if found.gpus else "without GPUs"
        parts.append(f"drains {many(found.nodes, 'node')} {gpus}")
    unknown = found.of(Effect.NOT_KNOWN)
    if unknown:
        parts.append(f"changes {kinds(unknown)} with an effect that is not known")
    if not parts:
        return _harmless(found)
    cost = f": {_hours(found.gpu_hours)}" if found.gpu_hours else ""
    return f"{', '.join(parts)}{cost}; {_stakes(found)}"


def _harmless(found: BlastRadius) -> str:
    drifting = found.of(Effect.DRAIN, Effect.RESTART)
    if drifting:  # a pool that drifts and has no node that the plan needs
        return f"drains no node that this plan needs, but {kinds(drifting)} would drift; {_stakes(found)}"
    counts = Counter(item.effect for item in found.findings)
    words = {Effect.UPGRADE: "upgrades", Effect.SCALE: "scales", Effect.CREATE: "creates", Effect.UPDATE: "changes"}
    parts = [f"{word} {counts[effect]}" for effect, word in words.items() if counts[effect]]
    return f"{', '.join(parts)} in place; no model server restarts; {_stakes(found)}"


def _stakes(found: BlastRadius) -> str:
    staked = [item for item in found.findings if item.data]
    return f"DATA AT STAKE: {kinds(staked)}" if staked else "nothing that holds data"


def _counted(word: str, found: BlastRadius, effect: Effect) -> Iterator[str]:
    for certain, text in ((True, f"{word}s"), (False, f"may {word}")):
        items = [item for item in found.of(effect) if item.certain is certain]
        if items:
            several = len({item.kind for item in items}) > _NAMES_SHOWN
            yield f"{text} {many(len(items), 'resource') if several else kinds(items)}"


def touched(group: Sequence[Finding]) -> list[str]:
    """What findings touch together, in lines."""
    measures = [item.measure for item in group]
    nodes, gpus = sum(item.nodes for item in measures), sum(item.gpus for item in measures)
    lines = []
    if nodes:
        lines.append(f"{many(nodes, 'node')}, {many(gpus, 'GPU')}" if gpus else f"{many(nodes, 'node')} without GPUs")
    for verb, pods in (
        ("restart", [item.restarted for item in measures]),
        ("stop", [item.stopped for item in measures]),
        ("start", [item.started for item in measures]),
    ):
        total = {owner: count for part in pods for owner, count in part.items()}
        if total:
            out = sum(item.out_at_once for item in measures)
            at_once = "" if verb != "restart" else f", at most {out} out at a time" if out else ", none out meanwhile"
            lines.append(f"{many(sum(total.values()), 'replica')} {verb} ({_owners(total)}){at_once}")
    spare = sum(item.spare_gpus for item in measures)
    if spare:
        lines.append(f"{many(spare, 'spare GPU')} needed while they are exchanged")
    hours = sum((item.gpu_hours for item in measures), NOTHING)
    longest = max((item.seconds for item in measures), key=lambda item: item.high)
    if longest:
        cost = f"{_hours(hours)} " if hours else ""
        lines.append(f"{cost}over {duration(longest.low)} to {duration(longest.high)}")
    return [*lines, *dict.fromkeys(note for item in measures for note in item.notes)]


def named(items: Sequence[Finding]) -> str:
    """The resources by kind and name; only their kinds where there are many."""
    if len(items) > _NAMES_SHOWN:
        return kinds(items)
    return ", ".join(f"{item.kind} {resource_name(item.resource)}" for item in items)


def resource_name(resource: "PlannedResource") -> str:
    """The name in the cluster where there is one, else the name in the program."""
    metadata = resource.inputs.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
        namespace = metadata.get("namespace")
        return f"{namespace}/{metadata['name']}" if isinstance(namespace, str) else str(metadata["name"])
    return resource.name


def kinds(items: Sequence[Finding]) -> str:
    """How many of which kind, the most frequent first; a resource counts once."""
    distinct = {item.resource.urn: item.kind for item in items}
    counts = Counter(distinct.values()).most_common()
    shown = [f"{count} {kind}" for kind, count in counts[:_NAMES_SHOWN]]
    rest = sum(count for _, count in counts[_NAMES_SHOWN:])
    return ", ".join([*shown, f"{rest} others"] if rest else shown)


def many(count: int, word: str) -> str:
    """A number with its noun."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _owners(pods: dict[str, int]) -> str:
    names = [f"{owner.rpartition('/')[2]} {count}" for owner, count in sorted(pods.items(), key=lambda pair: -pair[1])]
    return ", ".join(names[:_NAMES_SHOWN] + (["..."] if len(names) > _NAMES_SHOWN else []))


def _hours(hours: Range) -> str:
    low = f"{hours.low:.1f}" if hours.low >= 0.05 else "under 0.1"
    return f"{low} to {max(hours.high, 0.1):.1f} GPU-hours"
