"""From pydantic's errors to problems a person can mend: path, what was found, what is accepted, how to mend it."""

import re
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from infra.errors import Problem
from infra.settings.values import did_you_mean

SHOWN_LENGTH = 80

_TYPES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def problems_of(error: ValidationError, model: type[BaseModel]) -> Iterator[Problem]:
    """Every problem of one validation, in the order of the schema."""
    for details in error.errors(include_url=False):
        # A list whose items are wrong is also reported as too short, because pydantic counts only the good ones.
        if details["type"] == "too_short" and details["input"]:
            continue
        yield _problem(details, model)


def path_text(loc: Sequence[int | str]) -> str:
    """`("models", 0, "name")` as `models[0].name`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def yaml_path(path: str) -> list[str | int]:
    """`models[0].name` as `["models", 0, "name"]`; a `gpu-platform:` key keeps its own dots."""
    return [int(index) if index else key for key, index in re.findall(r"([^.\[\]]+)|\[([0-9]+)\]", path)]


def shown(value: object) -> str:
    """A found value as short text."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, dict):
        text = "a mapping with " + (", ".join(map(str, value)) or "nothing in it")
    elif isinstance(value, list | tuple):
        text = f"a list of {len(value)}"
    else:
        text = str(value)
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    loc = tuple(part for part in details["loc"] if part != "[key]")  # pydantic's mark for a mapping's key
    found = shown(details["input"])
    if kind == "not_accepted":
        return Problem(path_text(loc), found, context["accepted"], context["mend"])
    if kind == "extra_forbidden":
        accepted = _keys_at(model, loc[:-1])
        return Problem(
            path_text(loc),
            "an unknown key",
            f"one of: {', '.join(accepted)}",
            did_you_mean(str(loc[-1]), accepted, "remove it"),
        )
    if kind == "missing":
        return Problem(path_text(loc), "nothing", "a value; it is required", f"add {loc[-1]}")
    accepted_text, mend = _accepted(kind, context, details["input"])
    return Problem(path_text(loc), found, accepted_text, mend)


_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}

_FIXED = {
    "too_short": ("a list that is not empty", "add an item"),
    "string_too_short": ("text that is not empty", "write it"),
    "string_pattern_mismatch": ('a number or a percentage in quotes, such as "1" or "10%"', 'write it like "10%"'),
    "finite_number": ("a finite number", "write a number"),
    "invalid_key": ("a key that is text", "put the key in quotes"),
}


def _accepted(kind: str, context: dict[str, Any], found: object) -> tuple[str, str]:
    """What pydantic's own checks accept, and how to mend it."""
    if kind == "literal_error":
        words = re.findall(r"'([^']+)'", context["expected"])
        return f"one of: {', '.join(words)}", did_you_mean(str(found), words, "choose one of these")
    if kind in _BOUNDS:
        key, words_ = _BOUNDS[kind]
        return f"{words_} {context[key]:g}", f"write {words_} {context[key]:g}"
    if kind in _TYPES:
        return _TYPES[kind], _mend_type(kind, found)
    return _FIXED.get(kind, (kind.replace("_", " "), "see the schema in infra/settings"))


def _mend_type(kind: str, found: object) -> str:
    if kind in ("int_type", "float_type") and isinstance(found, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", found):
        return f"remove the quotes: {found}"
    if kind == "string_type" and found is not None and not isinstance(found, dict | list):
        return f'put it in quotes: "{str(found).lower() if isinstance(found, bool) else found}"'
    if kind == "tuple_type":
        return "begin each item on its own line with '- '"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return "write keys and values, indented"
    return f"write {_TYPES[kind]}"


def _keys_at(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys the schema accepts at `loc`."""
    current: type[BaseModel] = model
    for part in loc:
        if isinstance(part, int):
            continue
        for name, info in current.model_fields.items():
            if part == (info.alias or name):
                nested = _model_in(info.annotation)
                if nested is None:
                    return []
                current = nested
    return [info.alias or name for name, info in current.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The settings class inside `X`, `X | None` or `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (tuple, typing.Union, types.UnionType, typing.Annotated):
        for inner in typing.get_args(annotation):
            found = _model_in(inner)
            if found is not None:
                return found
    return None
