"""From pydantic's errors to problems a person can mend: path, what was found, what is accepted, how to mend it."""

import json
import re
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from infra.errors import Problem, printable
from infra.settings.unions import KIND, class_at, kinds_in, without_kinds
from infra.settings.values import did_you_mean

SHOWN_LENGTH = 80
WHOLE = "gpu-platform:platform"  # the path of a problem that belongs to no part

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
    """`("models", 0, "name")` as `models[0].name`; a key that would not read as one stands in quotes."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = part.isprintable() and any(letter.isalnum() for letter in part)
            text += ("." if text else "") + (part if plain else json.dumps(part))
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
    elif isinstance(value, list | tuple) and value and all(type(item) is int for item in value):
        text = f"[{', '.join(map(_number_text, value))}]"
    elif isinstance(value, list | tuple):
        text = f"a list of {len(value)}"
    else:
        text = _number_text(value)
    text = printable(text)
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."


def _number_text(value: object) -> str:
    """A number as text; Python refuses to write one of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of about {value.bit_length() * 3 // 10} digits"
    return str(value)


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    exact = _loc(details["loc"])
    loc = without_kinds(model, exact)
    if kind.startswith("union_tag"):
        return _unknown_kind(loc, list(kinds_in(_annotation_at(model, _list_of(exact)))), details["input"])
    path, found = path_text(loc) or WHOLE, shown(details["input"])
    if kind == "not_accepted":
        return Problem(path, found, context["accepted"], context["mend"], keys=loc)
    if kind == "extra_forbidden":
        accepted = _keys_at(model, exact[:-1])
        mend = did_you_mean(str(loc[-1]), accepted, "remove it")
        return Problem(path, "an unknown key", f"one of: {', '.join(accepted)}", mend, keys=loc)
    if kind == "missing":
        return Problem(path, "nothing", _described(_annotation_at(model, exact)), f"add {loc[-1]}", keys=loc)
    accepted_text, mend = _accepted(kind, context, details["input"])
    return Problem(path, found, accepted_text, mend, keys=loc)


def _unknown_kind(loc: tuple[int | str, ...], words: list[str], given: object) -> Problem:
    """A kind that is misspelt, or that is not there."""
    tag = given.get(KIND) if isinstance(given, dict) else None
    mend = did_you_mean(str(tag), words, "choose one of these") if tag else f"add {KIND}"
    return Problem(path_text([*loc, KIND]), shown(tag), f"one of: {', '.join(words)}", mend, keys=(*loc, KIND))


def _list_of(loc: Sequence[int | str]) -> tuple[int | str, ...]:
    """The place of the list that an item is in."""
    return tuple(loc[:-1]) if isinstance(loc[-1], int) else tuple(loc)


def _loc(loc: Sequence[int | str]) -> tuple[int | str, ...]:
    """pydantic's location without its own mark for a mapping's key, which is text even when it is a number."""
    if loc and loc[-1] == "[key]":
        return (*loc[:-2], str(loc[-2]))
    return tuple(loc)


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
    "string_unicode": ("text in valid Unicode", "remove the character that is not one"),
    "invalid_key": ("a key that is text", "put the key in quotes"),
}


def _accepted(kind: str, context: dict[str, Any], found: object) -> tuple[str, str]:
    """What pydantic's own checks accept, and how to mend it."""
    if kind == "literal_error":
        words = re.findall(r"'([^']+)'", context["expected"])
        return f"one of: {', '.join(words)}", did_you_mean(str(found), words, "choose one of these")
    if kind in _BOUNDS:
        key, words_ = _BOUNDS[kind]
        bound = f"{context[key]:g}" if isinstance(context[key], float) else str(context[key])
        return f"{words_} {bound}", f"write {words_} {bound}"
    if kind in _TYPES:
        return _TYPES[kind], _mend_type(kind, found)
    return _FIXED.get(kind, (kind.replace("_", " "), "see the schema in infra/settings"))


def _mend_type(kind: str, found: object) -> str:
    if kind in ("int_type", "float_type") and isinstance(found, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", found):
        return f"remove the quotes: {found}"
    if kind == "string_type" and found is not None and not isinstance(found, dict | list):
        return "put it in quotes, as it stands in the file"  # YAML may have lost zeros, or read yes as true
    if kind == "tuple_type":
        return "begin each item on its own line with '- '"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return "write keys and values, indented"
    return f"write {_TYPES[kind]}"


def _keys_at(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys the schema accepts at `loc`."""
    found = class_at(model, loc)
    return [info.alias or name for name, info in found.model_fields.items()] if found else []


def _annotation_at(model: type[BaseModel], loc: Sequence[int | str]) -> object:
    """The type the schema wants at `loc`."""
    above = class_at(model, loc[:-1])
    fields = above.model_fields.items() if above else ()
    return next((info.annotation for name, info in fields if loc[-1] == (info.alias or name)), None)


def _described(annotation: object) -> str:
    """A type in words, for a value that is missing."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _described(typing.get_args(annotation)[0])
    if origin is typing.Literal:
        return f"one of: {', '.join(map(str, typing.get_args(annotation)))}"
    if origin is tuple:
        return "a list"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        needed = [info.alias or name for name, info in annotation.model_fields.items() if info.is_required()]
        return f"a mapping with {', '.join(needed)}" if needed else "a mapping"
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false"}.get(
        typing.cast(type, annotation), "a value"
    )
