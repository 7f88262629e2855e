"""Plans of committed environments with their settings edited, and what the edit does."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from infra.plan import Plan
from infra.planning.blast_radius import BlastRadius, Effect, Finding, blast_radius
from infra.settings import load_stack_file
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.evaluation.programs import plan_of

Edit = Callable[[dict[str, Any]], object]


def edited(env: str, *edits: Edit) -> Plan:
    """The plan of `env` after the edits to what stands under `gpu-platform:platform`."""
    data = yaml.safe_load((ROOT / f"Pulumi.{env}.yaml").read_text(encoding="utf-8"))
    for edit in edits:
        edit(data["config"]["gpu-platform:platform"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"Pulumi.{env}.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return evaluate(load_stack_file(path))


def effect_of(env: str, *edits: Edit) -> BlastRadius:
    """What the edits do to the committed environment."""
    return blast_radius(plan_of(env), edited(env, *edits))


def effect_without_tenants(env: str, *edits: Edit) -> BlastRadius:
    """What the edits do to the environment without tenants and gateway, whose settings name the models.

    Groups go as well: over EFA they need a tenant.
    """
    return blast_radius(edited(env, _without_tenants), edited(env, _without_tenants, *edits))


def _without_tenants(settings: dict[str, Any]) -> None:
    for key in ("tenants", "gateway"):
        del settings[key]
    settings["models"] = [item for item in settings["models"] if "nodes" not in item]


def setting(path: str, value: object) -> Edit:
    """Set one value: `nodePools[2].amiAlias`, `cluster.name`."""

    def edit(settings: dict[str, Any]) -> None:
        *parents, last = path.replace("[", ".[").split(".")
        place: Any = settings
        for key in parents:
            place = place[int(key[1:-1])] if key.startswith("[") else place.setdefault(key, {})
        place[int(last[1:-1]) if last.startswith("[") else last] = value

    return edit


def pool(env_settings: dict[str, Any], name: str) -> dict[str, Any]:
    """The settings of one node pool."""
    return next(item for item in env_settings["nodePools"] if item["name"] == name)


def model(env_settings: dict[str, Any], name: str) -> dict[str, Any]:
    """The settings of one model."""
    return next(item for item in env_settings["models"] if item["name"] == name)


def one(found: BlastRadius, name: str, effect: Effect) -> Finding:
    """The only finding with that effect on a resource of that name in the program."""
    (finding,) = [item for item in found.of(effect) if item.resource.name == name]
    return finding


def named(found: BlastRadius, effect: Effect) -> set[str]:
    """Names of the resources with that effect."""
    return {item.resource.name for item in found.of(effect)}
