"""Judging a list of arguments by the flags that a version has."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.catalog.engines.flags import FlagTable
from infra.catalog.engines.records import Flag

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?[kKmMgGtT]?|auto")
_FILLED_IN = re.compile(r".*\$\([A-Za-z_][A-Za-z0-9_]*\).*")  # a variable of the container, by Kubernetes
_SHOWN_CHOICES = 12


@dataclass(frozen=True, slots=True)
class ArgumentProblem:
    """An argument that the engine would refuse: which, what is accepted, how to mend it."""

    index: int
    found: str
    accepted: str
    mend: str


@dataclass(frozen=True, slots=True)
class Use:
    """A flag as it is used: the index of its argument, its text, and what it is given."""

    index: int
    text: str
    values: tuple[str, ...]
    joined: bool


def is_flag(argument: str) -> bool:
    """Whether an argument names a flag; a negative number does not."""
    return argument.startswith("-") and not _NUMBER.fullmatch(argument)


def uses(arguments: Sequence[str]) -> Iterator[Use]:
    """The flags in a list of arguments, each with the words that follow it."""
    at = [index for index, argument in enumerate(arguments) if is_flag(argument)]
    for index, end in zip(at, [*at[1:], len(arguments)], strict=False):
        text, equals, value = arguments[index].partition("=")
        following = tuple(arguments[index + 1 : end])
        yield Use(index, text, (value, *following) if equals else following, bool(equals))


def argument_problems(table: FlagTable, arguments: Sequence[str]) -> Iterator[ArgumentProblem]:
    """Everything in the arguments that the engine's parser would refuse."""
    if arguments and not is_flag(arguments[0]):
        yield ArgumentProblem(0, f'"{arguments[0]}"', "a flag first: it begins with --", "write --flag=value")
    for use in uses(arguments):
        flag = table.find(use.text)
        problem = _unknown(table, use) if flag is None else _wrong_value(flag, use)
        if problem:
            yield ArgumentProblem(use.index, f'"{arguments[use.index]}"', *problem)


def _unknown(table: FlagTable, use: Use) -> tuple[str, str]:
    what = f"{table.engine} {table.version}"
    removed = table.removed.get(table.spelled(use.text))
    if removed:
        accepted = f"a flag of {what}, which has had no {removed.name} since {removed.since}"
        return accepted, f"write {removed.successor}" if removed.successor else "remove it"
    name, blank, value = use.text.partition(" ")
    if blank:
        accepted = f"one word an item: {what} gets each as it is, and no shell splits it at the blank"
        return accepted, f'write "{name}={value.strip()}", or "{name}" and "{value.strip()}" as two items'
    if not use.text.startswith("--"):
        return f"a flag of {what}, written out in full", "write the long flag"
    close = table.nearest(use.text)
    return f"a flag of {what}, written out in full", f"write {close}" if close else "remove it"


def _wrong_value(flag: Flag, use: Use) -> tuple[str, str] | None:
    if flag.kind == "switch":
        return (f"{flag.name} alone: it takes no value", f"write {flag.name}") if use.values else None
    if flag.kind == "optional":
        return None
    if not use.values or use.values == ("",):
        return f"a value of {flag.name}", f"write {flag.name}=<value>"
    if flag.kind == "list":
        return None
    if len(use.values) > 1:
        return f"one value of {flag.name}", f"write {flag.name}={use.values[0]} and remove the rest"
    return None if "." in use.text or _FILLED_IN.fullmatch(use.values[0]) else _wrong_type(flag, use.values[0])


def _wrong_type(flag: Flag, value: str) -> tuple[str, str] | None:
    if flag.choices and value not in flag.choices:
        some = ", ".join(flag.choices[:_SHOWN_CHOICES]) + (", ..." if len(flag.choices) > _SHOWN_CHOICES else "")
        return f"one of: {some}", f"write {flag.name}={flag.choices[0]}"
    if flag.kind in ("integer", "number") and not _NUMBER.fullmatch(value):
        return f"a number for {flag.name}", f"write {flag.name}=<number>"
    if flag.kind == "boolean" and value.lower() not in ("true", "false", "1", "0"):
        return f"true or false for {flag.name}", f"write {flag.name}=true"
    if flag.kind == "json":
        try:
            json.loads(value)
        except ValueError:
            return f"JSON for {flag.name}", f"write {flag.name}={{...}}"
    return None
