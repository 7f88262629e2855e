"""What a program in another language gives a component, held against the package's schema."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.conftest import ROOT

Json = dict[str, Any]
SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A value that is computed.

    Attributes:
        output: whether it comes from a resource, which a plain input does not take.
    """

    text: str
    output: bool = False


def package_schema() -> Json:
    """The reviewed snapshot."""
    schema: Json = json.loads((ROOT / "tests" / "package" / "schema.json").read_text(encoding="utf-8"))
    return schema


def problems(schema: Json, token: str, inputs: Mapping[str, Any]) -> list[str]:
    """What of `inputs` the component `token` does not take, and what it misses."""
    resource = schema["resources"].get(token)
    if resource is None:
        return [f"no component {token}"]
    return list(_object(schema, token, resource["inputProperties"], resource["requiredInputs"], inputs))


def _object(schema: Json, path: str, known: Json, required: list[str], given: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{path}.{name} is missing" for name in required if name not in given)
    for name, value in given.items():
        if name in known:
            yield from _value(schema, f"{path}.{name}", known[name], value)
        else:
            yield f"{path}.{name} is unknown"


def _value(schema: Json, path: str, declared: Json, value: Any) -> Iterator[str]:
    if isinstance(value, Expression):
        if value.output and declared.get("plain"):
            yield f"{path} is plain and takes no output: {value.text}"
        return
    if reference := declared.get("$ref"):
        described = schema["types"][reference.removeprefix("#/types/")]
        if isinstance(value, Mapping):
            yield from _object(schema, path, described["properties"], described.get("required") or [], value)
        else:
            yield f"{path} is {type(value).__name__}, not an object"
        return
    yield from _plain(schema, path, declared, value)


def _plain(schema: Json, path: str, declared: Json, value: Any) -> Iterator[str]:
    wanted = declared["type"]
    if wanted == "array" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value(schema, f"{path}[{index}]", declared["items"], item)
    elif wanted == "object" and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _value(schema, f"{path}.{key}", declared["additionalProperties"], item)
    elif type(value) not in SCALARS.get(wanted, ()):
        yield f"{path} is {type(value).__name__}, not {wanted}"
