"""Which inputs each AWS resource has and which it must have, read from the classes of the installed SDK.

The SDK is made from the provider's own schema: an argument without a default is a required input. Reading it takes a
second, so what was read is kept beside the worlds of a test run.
"""

import importlib
import inspect
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from pulumi._types import input_type_py_to_pulumi_names

from tests.engine.providers.values import UNKNOWN, Properties

VARIABLE = "ENGINE_TESTS_SCHEMAS"
_DEPTH = 6  # deep enough for every argument of this project; web ACLs refer to themselves

Schema = dict[str, Any]  # property -> {"required": bool, "inner": Schema of a nested object, or None}


@cache
def schema_of(type_token: str) -> Schema:
    """The inputs of a type such as `aws:ec2/subnet:Subnet`."""
    kept = Path(os.environ[VARIABLE]) / (re.sub(r"\W+", "-", type_token) + ".json")
    if not kept.is_file():
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(_read(type_token)), encoding="utf-8")
        part.replace(kept)
    schema: Schema = json.loads(kept.read_text(encoding="utf-8"))
    return schema


def misfits(schema: Schema, value: Properties, path: str = "") -> dict[str, str]:
    """What is missing and what is strange in `value`, by path."""
    found = {}
    for name, rule in schema.items():
        if rule["required"] and value.get(name) is None:
            found[f"{path}{name}"] = f'Missing required argument. The argument "{path}{name}" is required'
    for name, item in value.items():
        if name.startswith("__") or item is None or item == UNKNOWN:
            continue
        if name not in schema:
            found[f"{path}{name}"] = f'Unsupported argument. An argument named "{path}{name}" is not expected here'
        elif schema[name]["inner"]:
            for part in item if isinstance(item, list) else [item]:
                if isinstance(part, dict):
                    found |= misfits(schema[name]["inner"], part, f"{path}{name}.")
    return found


def _read(type_token: str) -> Schema:
    """Import the SDK's module of the type and look at the arguments of its class."""
    _, module, name = type_token.split(":")
    package, _, file = module.partition("/")
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", file).lower()
    loaded = importlib.import_module(f"pulumi_aws.{package}.{snake}")
    nested = importlib.import_module(f"pulumi_aws.{package}._inputs")
    # `<Name>InitArgs` where `<Name>Args` is what another resource nests.
    arguments = getattr(loaded, f"{name}InitArgs", None) or getattr(loaded, f"{name}Args")
    return _inputs_of(arguments, nested, _DEPTH)


def _inputs_of(arguments: Any, nested: Any, depth: int) -> Schema:  # classes of the SDK, known at run time only
    names = input_type_py_to_pulumi_names(arguments)
    schema: Schema = {}
    for parameter in list(inspect.signature(arguments.__init__).parameters.values())[1:]:
        inner = re.search(r"ForwardRef\('(\w+Args)'\)", str(parameter.annotation))
        schema[names[parameter.name]] = {
            "required": parameter.default is inspect.Parameter.empty,
            "inner": _inputs_of(getattr(nested, inner[1]), nested, depth - 1) if inner and depth else None,
        }
    return schema
