"""Property values as the engine sends them, to and from plain data."""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2

# How the engine writes a value that is only known after an update. Source: pulumi sdk/python, runtime/rpc.py.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Properties = dict[str, Any]


def plain(struct: struct_pb2.Struct) -> Properties:
    """A Struct as plain data; whole numbers, which it holds as floats, become integers again."""
    data: Properties = _whole(json_format.MessageToDict(struct))
    return data


def wire(data: Mapping[str, Any]) -> struct_pb2.Struct:
    """Plain data as a Struct."""
    struct = struct_pb2.Struct()
    json_format.ParseDict(dict(data), struct)
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


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
