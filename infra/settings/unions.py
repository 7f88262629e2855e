"""Settings of several kinds under one key: which class a `kind` means, for messages about what is inside.

pydantic puts the kind into the place of an error (`weights`, 0, `efs`, `zones`); in the file no such key stands there.
"""

import typing
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

KIND = "kind"


def kinds_in(annotation: object) -> dict[str, type[BaseModel]]:
    """The classes that a discriminated union allows, by kind; empty for everything else."""
    return dict(_kinds(annotation))


def _kinds(annotation: object) -> Iterator[tuple[str, type[BaseModel]]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kind = annotation.model_fields.get(KIND)
        words = typing.get_args(kind.annotation) if kind else ()
        if len(words) == 1:
            yield str(words[0]), annotation
    for inner in typing.get_args(annotation):
        yield from _kinds(inner)


def without_kinds(model: type[BaseModel], loc: Sequence[int | str]) -> tuple[int | str, ...]:
    """The place as it stands in the file."""
    found: list[int | str] = []
    current: type[BaseModel] | None = model
    choices: dict[str, type[BaseModel]] = {}
    for part in loc:
        if isinstance(part, str) and part in choices:
            current, choices = choices[part], {}
            continue
        found.append(part)
        if isinstance(part, str) and current is not None:
            annotation = _annotation(current, part)
            choices = kinds_in(annotation)
            current = None if choices else _class_in(annotation)
    return tuple(found)


def class_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel] | None:
    """The settings class at a place, kinds and all; None where there is none."""
    current: type[BaseModel] | None = model
    choices: dict[str, type[BaseModel]] = {}
    for part in loc:
        if isinstance(part, int):
            continue
        if part in choices:
            current, choices = choices[part], {}
            continue
        if current is None:
            return None
        annotation = _annotation(current, part)
        choices = kinds_in(annotation)
        current = None if choices else _class_in(annotation)
    return current


def _annotation(model: type[BaseModel], key: str) -> object:
    return next((info.annotation for name, info in model.model_fields.items() if key == (info.alias or name)), None)


def _class_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in typing.get_args(annotation) if (found := _class_in(inner))), None)
