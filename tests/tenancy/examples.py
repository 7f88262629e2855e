"""The example of two tenants, with its settings edited; evaluated once."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import yaml

from infra.errors import InputError, Problem
from infra.plan import Manifest, Plan, kubernetes_manifests
from infra.settings import StackFile, load_stack_file, parse_settings
from stacks.evaluation import evaluate
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "tenancy" / "Pulumi.tenancy.yaml"
CHAT, RESEARCH = 0, 1

Edit = Callable[[dict[str, Any]], object]


def data() -> dict[str, Any]:
    """The example's settings as they stand in the file."""
    found: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["config"]["gpu-platform:platform"]
    return found


def example(*edits: Edit) -> StackFile:
    """The example's stack after the edits to its settings."""
    edited = data()
    for edit in edits:
        edit(edited)
    return replace(load_stack_file(EXAMPLE), settings=parse_settings(edited))


def problems(*edits: Edit) -> list[Problem]:
    """What is wrong with the example after the edits."""
    try:
        example(*edits)
    except InputError as error:
        return list(error.problems)
    return []


def tenant(index: int, **values: Any) -> Edit:
    """Set keys of one tenant; None removes one."""

    def edit(settings: dict[str, Any]) -> None:
        for key, value in values.items():
            if value is None:
                settings["tenants"][index].pop(key, None)
            else:
                settings["tenants"][index][key] = value

    return edit


def quota(index: int, **values: Any) -> Edit:
    """Set keys of one tenant's quota."""
    return lambda settings: settings["tenants"][index]["quota"].update(values)


def with_canary(settings: dict[str, Any]) -> None:
    """A canary of the first model, whose answers a container looks at."""
    check = {"image": "registry.example.com/evaluation/answers:1.4.0"}
    settings["models"][0]["canary"] = {"maxModelLen": 4096, "qualityCheck": check}
    route = {"name": "llama", "match": {"model": "llama-8b"}, "backends": [{"model": "llama-8b"}]}
    settings["gateway"] = {"authentication": {"apiKeys": {}}, "routes": [route]}


@cache
def plan() -> Plan:
    return evaluate(load_stack_file(EXAMPLE), "stand-in")


def manifests() -> list[Manifest]:
    return kubernetes_manifests(plan())


def objects(kind: str, namespace: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind in a namespace, by name."""
    return {item.name: item.body for item in manifests() if item.kind == kind and item.namespace == namespace}
