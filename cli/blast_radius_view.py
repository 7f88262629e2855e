"""A blast radius as text that is read in twenty seconds: the verdict first, then what causes it, then the rest.

Findings that say the same are one entry: a tag that changes on ninety resources is one line.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from cli.blast_radius_words import heading, kinds, many, named, resource_name, touched, verdict
from cli.value_view import change_text
from infra.errors import printable
from infra.planning.blast_radius import BlastRadius, Effect, Finding

# Read by everybody, in full; the others are one line each.
_DISRUPTIVE = (
    Effect.REPLACE,
    Effect.DELETE,
    Effect.DRAIN,
    Effect.RESTART,
    Effect.NOT_KNOWN,
    Effect.UPGRADE,
    Effect.SCALE,
)
_CHANGES_SHOWN = 4
_CAUSES_SHOWN = 3
_QUIET_SHOWN = 10
_WIDTH = 118


def blast_radius_text(found: BlastRadius, old: str, new: str) -> str:
    """The whole report. Ends with a newline.

    Args:
        old, new: what the user called them.
    """
    return "\n".join(printable(line) for line in _lines(found, old, new)) + "\n"


def _lines(found: BlastRadius, old: str, new: str) -> Iterator[str]:
    yield f"{old} -> {new}"
    for warning in found.warnings:
        yield from _wrapped("warning: ", warning)
    yield ""
    yield from _wrapped("", verdict(found))
    if not found.findings:
        return
    causes = Counter(cause for item in found.findings for cause in item.caused_by)
    yield from _section("DATA AT STAKE, OR PROTECTED", [item for item in found.findings if item.data], causes)
    for effect in _DISRUPTIVE:
        yield from _section(heading(effect), [item for item in found.of(effect) if not item.data], causes)
    yield from _quiet(found)
    yield ""
    yield "Assumed"
    for text in found.assumptions:
        yield from _wrapped("  - ", text)


def _section(title: str, items: list[Finding], causes: Counter[str]) -> Iterator[str]:
    if not items:
        return
    yield ""
    yield title
    groups: dict[object, list[Finding]] = {}
    # What was edited comes before what follows, and what most follows from comes first.
    for item in sorted(items, key=lambda item: (not item.changes, -causes[f"{item.kind} {item.resource.name}"])):
        groups.setdefault((item.effect, item.certain, item.data, item.why, item.instead), []).append(item)
    for group in groups.values():
        yield from _entry(group)


def _entry(group: Sequence[Finding]) -> Iterator[str]:
    first = group[0]
    yield f"  {named(group)}{'' if first.certain else '  (may happen; only `up` knows)'}"
    yield from _changes(group)
    if first.data:
        yield from _wrapped("    stake    ", f"{first.effect.value}; {first.data}")
    for number, text in enumerate(touched(group)):
        yield from _wrapped("             " if number else "    effect   ", text)
    causes = list(dict.fromkeys(cause for item in group for cause in item.caused_by))
    if causes:
        more = f" and {len(causes) - _CAUSES_SHOWN} more" if len(causes) > _CAUSES_SHOWN else ""
        yield from _wrapped("    follows  ", f"from {', '.join(causes[:_CAUSES_SHOWN])}{more}")
    yield from _wrapped("    why      ", f"{first.why} ({first.source})")
    if first.instead:
        yield from _wrapped("    instead  ", first.instead)


def _changes(group: Sequence[Finding]) -> Iterator[str]:
    """What was edited: with the resource's name where it is not the same on all."""
    said: dict[str, list[Finding]] = {}
    for item in group:
        for change in item.changes:
            said.setdefault(f"{change.path}: {change_text(change)}", []).append(item)
    for text, items in list(said.items())[:_CHANGES_SHOWN]:
        whose = "" if len(items) == len(group) else f"{resource_name(items[0].resource)} "
        yield f"    {whose}{text}"
    if len(said) > _CHANGES_SHOWN:
        yield f"    and {len(said) - _CHANGES_SHOWN} more changes; --json has them all"


def _quiet(found: BlastRadius) -> Iterator[str]:
    """What restarts nothing: a line for each change, however many resources it is on."""
    created, changed = found.of(Effect.CREATE), found.of(Effect.UPDATE)
    if created:
        yield ""
        yield f"Created: {named(created)}"
        yield from (f"  {text}" for text in touched(created))
    if not changed:
        return
    said: dict[str, list[Finding]] = {}
    for item in changed:
        for text in [f"{change.path}: {change_text(change)}" for change in item.changes] or ["follows the above"]:
            said.setdefault(text, []).append(item)
    together: dict[tuple[str, ...], list[str]] = {}
    for text, items in said.items():
        together.setdefault(tuple(item.resource.urn for item in items), []).append(text)
    entries = sorted(together.values(), key=lambda texts: -len(said[texts[0]]))
    yield ""
    yield "Changed in place, nothing restarts"
    for texts in entries[:_QUIET_SHOWN]:
        yield f"  {named(said[texts[0]])}"
        yield from (f"    {text}" for text in texts)
    if len(entries) > _QUIET_SHOWN:
        rest = [item for texts in entries[_QUIET_SHOWN:] for item in said[texts[0]]]
        yield f"  and {many(len(rest), 'change')} more in place ({kinds(rest)}); --json has them all"


def _wrapped(label: str, text: str) -> list[str]:
    inside = " " * len(label)
    return textwrap.wrap(text, _WIDTH, initial_indent=label, subsequent_indent=inside, break_on_hyphens=False)
