"""What a change of an input does, as rules: a type of resource has a list of them, and the first that fits counts.

The tables stand beside this module, one for each provider. A field that no rule of its type names has an effect that
is not known: it is listed as that, and never as harmless.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from infra.planning.blast_radius.changes import OPTIONS, Absent, FieldChange, Keys


class Effect(Enum):
    """What happens to a resource, the most disruptive first. The value is its text for people."""

    REPLACE = "replaced"
    DELETE = "deleted"
    DRAIN = "nodes replaced"
    RESTART = "pods restarted"
    NOT_KNOWN = "effect not known"
    UPGRADE = "upgraded in place"
    SCALE = "scaled"
    CREATE = "created"
    UPDATE = "changed in place"

    @property
    def rank(self) -> int:
        """0 for the most disruptive."""
        return list(Effect).index(self)


class Nodes(Enum):
    """Which nodes of a pool a change drains."""

    ALL = "all"
    INCOMPATIBLE = "those that the new requirements no longer allow"
    WITH_MIG_LAYOUT = "those that carry a MIG layout"


@dataclass(frozen=True, slots=True)
class Rule:
    """The effect of a change below some paths.

    Attributes:
        fields: paths, each covering everything below it; an empty path covers the whole resource.
        why: what happens, in half a sentence.
        source: where that is written.
        instead: a gentler way; empty where there is none.
        nodes: which nodes are drained, for effect DRAIN.
        when: further condition on the change.
        certain: False when the effect follows only in some cases that the plan cannot tell.
    """

    fields: tuple[Keys, ...]
    effect: Effect
    why: str
    source: str
    instead: str = ""
    nodes: Nodes = Nodes.ALL
    when: Callable[[FieldChange], bool] | None = None
    certain: bool = True

    def fits(self, change: FieldChange) -> bool:
        covered = any(change.field[: len(field)] == field for field in self.fields)
        return covered and (self.when is None or self.when(change))

    def is_below(self, keys: Keys) -> bool:
        """Whether a change somewhere below `keys` could be one of this rule."""
        return any(field[: len(keys)] == keys or keys[: len(field)] == field for field in self.fields)


def at(*paths: str) -> tuple[Keys, ...]:
    """Paths written with dots; for keys that hold dots themselves write tuples."""
    return tuple(tuple(path.split(".")) if path else () for path in paths)


ENGINE = "pulumi documentation, resource options"

_ENGINE_RULES = (
    Rule(
        at(f"{OPTIONS}.provider"),
        Effect.REPLACE,
        "it moves to another provider, which does not know it",
        ENGINE,
        certain=False,
    ),
    Rule(at(f"{OPTIONS}.waits_for"), Effect.UPDATE, "only the order of operations changes", ENGINE),
    Rule(at(OPTIONS), Effect.UPDATE, "only what the engine does with it later changes", ENGINE),
)

UNKNOWN_FIELD = Rule(
    ((),),
    Effect.NOT_KNOWN,
    "no rule of this project says what a change of this field does",
    "none",
    "look it up, and look at `pulumi preview --diff` before `up`",
)

Table = Mapping[str, tuple[Rule, ...]]


def rule_for(rules: Iterable[Rule], change: FieldChange) -> Rule:
    """The rule that says what a change does; `UNKNOWN_FIELD` when none does.

    Args:
        rules: of the resource's type.
    """
    return next((rule for rule in (*_ENGINE_RULES, *rules) if rule.fits(change)), UNKNOWN_FIELD)


def worst_rule_below(rules: Iterable[Rule], keys: Keys) -> Rule:
    """The most disruptive rule that a change somewhere below `keys` could fall under."""
    possible = [rule for rule in rules if rule.when is None and rule.is_below(keys)]
    return min(possible, key=lambda rule: rule.effect.rank, default=UNKNOWN_FIELD)


def removed(change: FieldChange) -> bool:
    """The value is gone."""
    return isinstance(change.new, Absent) or change.new in (None, "", [])


def appeared(change: FieldChange) -> bool:
    """There was no value before."""
    return isinstance(change.old, Absent) or change.old in (None, "", [])


def lowered(change: FieldChange) -> bool:
    """A version goes down."""
    old, new = (_version(value) for value in (change.old, change.new))
    return bool(old and new) and new < old


def _version(value: object) -> tuple[int, ...]:
    parts = str(value).removeprefix("v").split("-")[0].split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()
