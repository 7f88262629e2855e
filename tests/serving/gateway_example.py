"""The example of a gateway, and variants of it."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from infra.plan import Manifest, Plan, kubernetes_manifests
from infra.settings import PlatformSettings, load_stack_file, parse_settings
from stacks.evaluation import evaluate
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "gateway" / "Pulumi.gateway.yaml"
KEY = "gpu-platform:platform"

Change = dict[str, Any]


@cache
def example_plan() -> Plan:
    return evaluate(load_stack_file(EXAMPLE), "stand-in")


@cache
def manifests() -> tuple[Manifest, ...]:
    return tuple(kubernetes_manifests(example_plan()))


def raw() -> Change:
    """The example's settings as YAML has them, anew each time."""
    found: Change = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["config"][KEY]
    return found


def settings_of(change: Change) -> PlatformSettings:
    """The settings that `change` makes."""
    return parse_settings(change)


def named(kind: str, name: str) -> Any:
    """`spec` of one object of the example."""
    (found,) = [item for item in manifests() if (item.kind, item.name) == (kind, name)]
    return found.body["spec"]


def written(change: Change, folder: Path) -> Path:
    """A stack file of the changed settings."""
    path = folder / "Pulumi.gateway.yaml"
    path.write_text(yaml.safe_dump({"config": {KEY: change}}), encoding="utf-8")
    return path
