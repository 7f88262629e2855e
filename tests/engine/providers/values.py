"""Property values as the engine sends them, to and from plain data."""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2

# How the engine writes a value that is only known after an update. Source: pulumi sdk/python, runtime/rpc.py.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

# How the engine marks an object that stands for something else, and the mark of a secret. Source: the same.
_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"

Properties = dict[str, Any]


def plain(struct: struct_pb2.Struct) -> Properties:
    """A Struct as plain data: whole numbers, which it holds as floats, become integers again, and secrets are open."""
    data: Properties = _whole(_open(json_format.MessageToDict(struct)))
    return data


def wire(data: Mapping[str, Any], like: struct_pb2.Struct | None = None) -> struct_pb2.Struct:
    """Plain data as a Struct. What is a secret in `like` is one in the answer, as real providers keep it."""
    struct = struct_pb2.Struct()
    json_format.ParseDict(_marked(dict(data), json_format.MessageToDict(like) if like else None), struct)
    return struct


def has_unknown(value: object) -> bool:
    """Whether a value, or anything in it, is only known after an update."""
    return any(item == UNKNOWN for item in _leaves(value))


def without_unknowns(value: Any) -> Any:  # any JSON data
    """The value without what is only known after an update."""
    if isinstance(value, dict):
        return {key: without_unknowns(item) for key, item in value.items() if item != UNKNOWN}
    if isinstance(value, list):
        return [without_unknowns(item) for item in value if item != UNKNOWN]
    return value


def at(data: Any, path: str) -> list[Any]:
    """Every value at a dotted path; lists on the way are entered."""
    values = [data]
    for key in path.split("."):
        found = [value.get(key) for value in values if isinstance(value, dict)]
        values = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return [value for value in values if value is not None]


def changed(olds: Mapping[str, Any], news: Mapping[str, Any]) -> list[str]:
    """Names of the properties that differ."""
    return sorted(key for key in {*olds, *news} if olds.get(key) != news.get(key))


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(_SIGNATURE) == _SECRET


def _open(value: Any) -> Any:
    if _is_secret(value):
        return _open(value["value"])
    if isinstance(value, dict):
        return {key: _open(item) for key, item in value.items()}
    return [_open(item) for item in value] if isinstance(value, list) else value


def _marked(value: Any, like: Any) -> Any:
    if _is_secret(like):
        return {_SIGNATURE: _SECRET, "value": value}
    if isinstance(value, dict) and isinstance(like, dict):
        return {key: _marked(item, like.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(like, list) and len(value) == len(like):
        return [_marked(item, other) for item, other in zip(value, like, strict=True)]
    return value


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
