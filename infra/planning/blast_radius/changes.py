"""What differs between two plans: resources that came or went, and every input that has another value.

Resources are matched by their URN without the stack's name, so that a copy of an environment's file can be compared
with the environment itself. Items of a list are matched by their name where they have one: an added item is then one
change, and not a change of everything behind it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from infra.plan.records import Marker, Plan, PlannedOptions, PlannedResource, Value

# Keys that name an item of a list, the first that every item of both lists has, with no value twice.
_NAMING_KEYS = ("name", "key", "deviceName", "id", "serviceAccount", "type", "resourceType")

STACK = "pulumi:pulumi:Stack"

# What is no input of a resource stands below this path.
OPTIONS = "(options)"

Keys = tuple[str, ...]


class Absent:
    """Stands where a value is missing; None is a value."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()

Found: TypeAlias = "Value | Absent"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that differs.

    Attributes:
        keys: path to it; an item of a list is `[name]` or `[index]`.
    """

    keys: Keys
    old: Found
    new: Found

    @property
    def certain(self) -> bool:
        """False when a value is only known after `up`, so that it may turn out to be the same."""
        if isinstance(self.old, Absent) or isinstance(self.new, Absent):
            return True
        return not any(unknown_parts([self.old, self.new], ()))

    @property
    def field(self) -> Keys:
        """The path without the items of lists, as rules name it."""
        return tuple(key for key in self.keys if not key.startswith("["))

    @property
    def path(self) -> str:
        """The path as a person writes it."""
        text = ""
        for key in self.keys:
            dotted = "." in key or "/" in key
            text += key if key.startswith("[") else f"[{key}]" if dotted else f".{key}" if text else key
        return text


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that differs: new without an old one was created, old without a new one is deleted."""

    old: PlannedResource | None
    new: PlannedResource | None
    fields: tuple[FieldChange, ...] = ()

    @property
    def resource(self) -> PlannedResource:
        found = self.new or self.old
        if found is None:
            raise ValueError("a change is of a resource")
        return found


def comparable(plan: Plan) -> Plan:
    """The plan with URNs that do not hold the name of its stack, and its outputs as a resource at the end."""
    prefix, neutral = f"urn:pulumi:{plan.stack}::", "urn:pulumi:*::"

    def urn(text: str) -> str:
        return neutral + text.removeprefix(prefix) if text.startswith(prefix) else text

    def urns(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted(urn(text) for text in texts))

    resources = tuple(
        replace(
            item,
            urn=urn(item.urn),
            parent=urn(item.parent),
            provider=urn(item.provider),
            dependencies=urns(item.dependencies),
            property_dependencies={key: urns(needs) for key, needs in item.property_dependencies.items()},
            options=replace(
                item.options, deleted_with=urn(item.options.deleted_with), aliases=urns(item.options.aliases)
            ),
        )
        for item in plan
    )
    return replace(plan, resources=(*resources, _outputs(plan)))


def _outputs(plan: Plan) -> PlannedResource:
    """The stack's outputs as one more resource: other stacks read them."""
    return PlannedResource("urn:pulumi:*::outputs", STACK, "outputs", custom=False, inputs=dict(plan.exports))


def compare(old: Plan, new: Plan) -> list[ResourceChange]:
    """Every resource that differs: those of the new plan in its order, then those that are gone.

    Args:
        old, new: made `comparable`.
    """
    before, after = old.by_urn(), new.by_urn()
    changes = [
        ResourceChange(before.get(urn), item, tuple(_fields(before[urn], item)) if urn in before else ())
        for urn, item in after.items()
    ]
    changes += [ResourceChange(item, None) for urn, item in before.items() if urn not in after]
    return [change for change in changes if change.old is None or change.new is None or change.fields]


def differences(old: Found, new: Found, keys: Keys = ()) -> Iterator[FieldChange]:
    """The smallest parts that differ. Two unknown values are taken as equal: what they follow from is compared."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), (*keys, key))
        return
    if isinstance(old, list) and isinstance(new, list) and (parts := _matched(old, new)):
        inside = [found for name, left, right in parts for found in differences(left, right, (*keys, f"[{name}]"))]
        only_order = [FieldChange(keys, old, new)] if old != new else []
        yield from inside or only_order
    elif not _same(old, new):
        yield FieldChange(keys, old, new)


def _same(old: Found, new: Found) -> bool:
    """Equal as JSON data: 1 and 1.0 are, 1 and true are not."""
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(_same(left, right) for left, right in zip(old, new, strict=True))
    return isinstance(old, bool) == isinstance(new, bool) and old == new


def _matched(old: list[Value], new: list[Value]) -> list[tuple[str, Found, Found]]:
    """Items that belong together, by name or by position; none where the lists hold single values."""
    if not all(isinstance(item, dict) for item in (*old, *new)):
        return []
    for key in _NAMING_KEYS:
        left, right = _by(key, old), _by(key, new)
        if left is not None and right is not None:
            names = [*left, *(name for name in right if name not in left)]
            return [(name, left.get(name, ABSENT), right.get(name, ABSENT)) for name in names]
    longest = range(max(len(old), len(new)))
    padded = [[*items, *[ABSENT] * (len(longest) - len(items))] for items in (old, new)]
    return [(str(index), padded[0][index], padded[1][index]) for index in longest]


def _by(key: str, items: list[Value]) -> dict[str, Value] | None:
    named: dict[str, Value] = {}
    for item in items:
        name = item.get(key) if isinstance(item, dict) else None
        if not isinstance(name, str) or name in named:
            return None
        named[name] = item
    return named


def _fields(old: PlannedResource, new: PlannedResource) -> Iterator[FieldChange]:
    yield from differences(dict(old.inputs), dict(new.inputs))
    yield from _new_sources(old, new)
    yield from differences(_engine_side(old), _engine_side(new), (OPTIONS,))


def _new_sources(old: PlannedResource, new: PlannedResource) -> Iterator[FieldChange]:
    """Inputs that are unknown in both plans and come from other resources than before."""
    for name, value in new.inputs.items():
        before, after = (item.property_dependencies.get(name, ()) for item in (old, new))
        if set(before) != set(after) and old.inputs.get(name) == value:
            for keys in unknown_parts(value, (name,)):
                yield FieldChange(keys, Marker.UNKNOWN, Marker.UNKNOWN)


def unknown_parts(value: Value, keys: Keys) -> Iterator[Keys]:
    """The paths below `keys` whose values are only known after `up`."""
    if value is Marker.UNKNOWN:
        yield keys
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from unknown_parts(item, (*keys, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_parts(item, (*keys, f"[{index}]"))


def _engine_side(resource: PlannedResource) -> dict[str, Value]:
    """What the program says to the engine beside the inputs, as comparable data. What has its default is left out."""
    options, default = resource.options, PlannedOptions()
    names = ("protect", "retain_on_delete", "delete_before_replace", "deleted_with", "import_id")
    found: dict[str, Value] = {
        name: getattr(options, name) for name in names if getattr(options, name) != getattr(default, name)
    }
    lists = ("ignore_changes", "replace_on_changes", "additional_secret_outputs", "aliases")
    found |= {name: list(getattr(options, name)) for name in lists if getattr(options, name)}
    timeouts: Mapping[str, str] = options.custom_timeouts
    found |= {f"timeout_{name}": value for name, value in timeouts.items()}
    if resource.provider:
        found["provider"] = resource.provider
    if resource.dependencies:
        found["waits_for"] = list(resource.dependencies)
    return found
