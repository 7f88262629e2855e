"""The least a preview can cost: a process that imports pydantic and the SDK classes of the very same plan.

Nobody who writes this program with the Pulumi SDK gets below it, so what a preview takes beyond it is ours. The classes
are not listed here. They follow from the type tokens of the plan, through the table that each SDK package carries for
the engine, so the floor moves with the program and cannot flatter it.
"""

import importlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.measuring import output_of

# What the installed command runs. Started with the interpreter, so that both sides pay for the same start.
COMMAND = (sys.executable, "-c", "from cli.main import main; main()")

# Kinds that no SDK package knows are written with this class.
_CUSTOM_RESOURCE = ("pulumi_kubernetes.apiextensions", "CustomResource")
_PROVIDER_PREFIX = "pulumi:providers:"


def preview_command(*arguments: str) -> list[str]:
    """The process that previews, with the arguments that choose the environment."""
    return [*COMMAND, "preview", *arguments]


def floor_command(*arguments: str) -> list[str]:
    """The floor of the preview with the same arguments. Its process imports nothing of this project."""
    plan = json.loads(output_of([*preview_command(*arguments), "--json"]))
    return [sys.executable, "-c", floor_script(sdk_tokens(plan["resources"]))]


def sdk_tokens(resources: Iterable[Mapping[str, Any]]) -> list[str]:
    """The type tokens that need an SDK class: all but our own components."""
    return sorted({item["type"] for item in resources if item["custom"] or item["remote"] or item["read"]})


def floor_script(tokens: Sequence[str]) -> str:
    """A Python program that imports pydantic and every class behind `tokens`."""
    wanted = sorted({sdk_class(token) for token in tokens})
    return "\n".join(["import pydantic", *(f"from {module} import {name}" for module, name in wanted)])


def sdk_class(token: str) -> tuple[str, str]:
    """Module and class that registers resources of one type.

    Raises:
        LookupError: when the SDK package of that type has no such class.
    """
    if token == "pulumi:pulumi:StackReference":  # noqa: S105 - a type token
        return "pulumi", "StackReference"
    if token.startswith(_PROVIDER_PREFIX):
        return f"pulumi_{token.removeprefix(_PROVIDER_PREFIX)}", "Provider"
    package, module, _ = token.split(":")
    for fqn, classes in _registered(package, module):
        if token in classes:
            return fqn, classes[token]
    if package == "kubernetes":
        return _CUSTOM_RESOURCE
    raise LookupError(f"pulumi_{package} has no class for {token}")


def _registered(package: str, module: str) -> list[tuple[str, dict[str, str]]]:
    """The table of one SDK module: its Python name, and class names by token."""
    importlib.import_module(f"pulumi_{package}")
    rpc: Any = importlib.import_module("pulumi.runtime.rpc")  # the table has no public reader
    found = rpc._RESOURCE_MODULES.get(f"{package}:{module}", [])
    return [(entry.mod_info["fqn"], entry.mod_info["classes"]) for entry in found]
