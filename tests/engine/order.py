"""The order of what providers did, read from a world's journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Group:
    """Resources that are looked at together.

    Attributes:
        type_token: a Pulumi type, or a pattern of types.
        name: a pattern of names in the program.
    """

    type_token: str
    name: str = "*"

    def holds(self, entry: dict[str, Any]) -> bool:
        """Whether a line of the journal is about one of them."""
        return fnmatch(entry.get("type", ""), self.type_token) and fnmatch(entry.get("name", ""), self.name)

    def __str__(self) -> str:
        return f"{self.type_token} {self.name}"


def of_pool(pool: str) -> tuple[Group, ...]:
    """A pool's own hook and objects, in the order in which they go. Pools go when each is ready, not all at once."""
    return (
        Group("command:local:Command", f"{pool}-drain"),
        Group("*:NodePool", f"{pool}-node-pool"),
        Group("*:EC2NodeClass", f"{pool}-node-class"),
    )


def violations(entries: Sequence[dict[str, Any]], operation: str, *order: Group) -> list[str]:
    """Where `operation` did not go through the groups one after the other.

    Every group must have been done before the next one began, and none may be empty: a group that matches nothing would
    prove nothing.
    """
    found = []
    spans = []
    for group in order:
        mine = [entry for entry in entries if entry.get("operation") == operation and group.holds(entry)]
        if not mine:
            found.append(f"nothing matches {group}")
            continue
        begun = min(entry["time"] for entry in mine)
        done = max((entry["time"] for entry in mine if entry["event"] == "done"), default=float("inf"))
        spans.append((group, begun, done))
    for (first, _, done), (then, begun, _) in pairwise(spans):
        if done > begun:
            found.append(f"{operation} of {then} began before that of {first} was done")
    return found
