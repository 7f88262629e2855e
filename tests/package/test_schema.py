"""The schema of the component package, which programs in other languages are compiled against."""

import importlib
import inspect
import json
import pkgutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.provider.experimental.component import ComponentProvider

import components
from components.package import HOSTED, NAME, VERSION, provider
from components.serving import ModelServerArgs
from tests.conftest import Golden

SNAPSHOT = Path(__file__).with_name("schema.json")
SERVER = "gpu-platform:index:ModelServer"

# Parts of one hosted component, of no use by themselves.
PARTS = {"FlowLogs", "SystemNodes", "VpcEndpoints"}

# What the SDK's analyser refuses, and why.
REFUSED: dict[str, str] = {}


def as_text(built: ComponentProvider) -> str:
    """The schema, in the order and form of the snapshot."""
    assert built.schema is not None
    return json.dumps(json.loads(built.schema), indent=2, sort_keys=True) + "\n"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(as_text(provider()))
    return parsed


def test_the_schema_is_the_one_that_was_reviewed(golden: Golden) -> None:
    golden(SNAPSHOT, as_text(provider()))


def without(annotations: dict[str, Any]) -> None:
    del annotations["replicas"]


def with_another_type(annotations: dict[str, Any]) -> None:
    annotations["replicas"] = str


def with_one_more(annotations: dict[str, Any]) -> None:
    annotations["priority_class"] = str


def fed_by_an_output(annotations: dict[str, Any]) -> None:
    annotations["replicas"] = annotations["namespace"]


@pytest.mark.parametrize("change", [without, with_another_type, with_one_more, fed_by_an_output])
def test_a_changed_argument_is_another_schema(
    change: Callable[[dict[str, Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    annotations = {**ModelServerArgs.__annotations__}
    change(annotations)
    monkeypatch.setattr(ModelServerArgs, "__annotations__", annotations)

    changed = json.loads(as_text(provider()))

    reviewed = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert changed != reviewed
    for section in ("inputProperties", "requiredInputs"):  # and nothing but that component's arguments
        changed["resources"][SERVER].pop(section)
        reviewed["resources"][SERVER].pop(section)
    assert changed == reviewed


def test_every_component_is_hosted_or_has_a_reason_not_to_be() -> None:
    assert {component.__name__ for component in HOSTED} == set(all_components()) - PARTS - set(REFUSED)


def test_what_is_not_hosted_is_still_refused() -> None:
    """Else it belongs into HOSTED."""
    for name in REFUSED:
        with pytest.raises(Exception, match=f"used in '{name}"):
            ComponentProvider([all_components()[name]], NAME)


def all_components() -> dict[str, type[pulumi.ComponentResource]]:
    """Every ComponentResource defined under components/, by name."""
    found = {}
    for module in pkgutil.walk_packages(components.__path__, "components."):
        if module.name == "components.__main__":
            continue
        for name, item in vars(importlib.import_module(module.name)).items():
            defined_here = inspect.isclass(item) and item.__module__ == module.name
            if defined_here and issubclass(item, pulumi.ComponentResource):
                found[name] = item
    return found


def test_every_input_and_output_is_documented(schema: dict[str, Any]) -> None:
    owners = {**schema["resources"], **schema["types"]}

    bare = [
        f"{token}.{name}"
        for token, owner in owners.items()
        for section in ("inputProperties", "properties")
        for name, described in (owner.get(section) or {}).items()
        if not described.get("description")
    ]

    assert bare == []
    assert [token for token, owner in owners.items() if not owner.get("description")] == []


def test_no_integer_may_come_from_an_output(schema: dict[str, Any]) -> None:
    """The SDK calls `int()` on integer inputs, which fails for an Output."""
    fed = [
        f"{token}.{name}"
        for token, resource in schema["resources"].items()
        for name, described in integers(resource["inputProperties"])
        if not described.get("plain")
    ]

    assert fed == []


def integers(properties: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, described) for name, described in properties.items() if described.get("type") == "integer")


def test_the_version_is_the_projects(root: Path) -> None:
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"] == VERSION
