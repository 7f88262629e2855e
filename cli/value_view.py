"""Values of a plan as short text: what they were, and what they are."""

from infra.errors import printable
from infra.plan import Marker, Value
from infra.planning.blast_radius.changes import OPTIONS, Absent, FieldChange, Found

_LONGEST = 64
_AROUND = 24
_ITEMS_SHOWN = 4


def change_text(change: FieldChange) -> str:
    """`old -> new`, or what was added and taken away where both are lists."""
    old, new = change.old, change.new
    if isinstance(old, list) and isinstance(new, list) and _plain(old) and _plain(new):
        text = _moved(old, new, change.keys[:1] == (OPTIONS,))
        if text:
            return text
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > _LONGEST:
        return _far_apart(old, new)
    if old is Marker.UNKNOWN and new is Marker.UNKNOWN:
        return "comes from other resources than before"
    return f"{_cut(_value(old))} -> {_cut(_value(new))}"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _plain(items: list[Value]) -> bool:
    return all(isinstance(item, str | int | float | Marker) for item in items)


def _moved(old: list[Value], new: list[Value], are_urns: bool) -> str:
    """What came and what went; empty when only the order differs."""
    gone, come = [item for item in old if item not in new], [item for item in new if item not in old]
    parts = []
    for sign, items in (("-", gone), ("+", come)):
        names: list[Value] = [str(item).rpartition("::")[2] if are_urns else item for item in items]
        parts += [f"{sign} {_some(names)}"] if names else []
    return "  ".join(parts)


def _some(items: list[Value]) -> str:
    shown = ", ".join(_value(item) for item in items[:_ITEMS_SHOWN])
    return f"{shown} and {len(items) - _ITEMS_SHOWN} more" if len(items) > _ITEMS_SHOWN else shown


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _value(value: Found) -> str:
    if isinstance(value, Absent) or value is None:
        return "nothing"
    if isinstance(value, Marker):
        return value.value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in list(value.items())[:_ITEMS_SHOWN]) + "}"
    if isinstance(value, list):
        return f"[{_some(value)}]"
    return printable(str(value))


def _far_apart(old: str, new: str) -> str:
    """Long texts: only where they begin to differ."""
    start = next((at for at, (left, right) in enumerate(zip(old, new, strict=False)) if left != right), 0)
    begin = max(0, start - _AROUND // 2)
    sides = (text[begin : start + _AROUND] for text in (old, new))
    left, right = (printable(side) for side in sides)
    return f"...{left}... -> ...{right}... (text of {len(old)} -> {len(new)} characters)"
