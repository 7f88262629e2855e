"""Values of the operator's chart, and the ClusterPolicy that the chart makes of them, against the real CRD."""

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are not pinned here
import pytest
import yaml

from components.partitioning.gpu_operator_values import (
    LAYOUTS,
    SHARES,
    gpu_operator_values,
    layouts_data,
    shares_data,
)
from infra.versions import GPU_OPERATOR
from tests.components.test_against_crds import closed

Json = dict[str, Any]
BEARS = [{"key": "gpu-platform/partitioning", "operator": "Exists", "effect": "NoSchedule"}]


@pytest.fixture(scope="module")
def schema(shared: Path) -> Json:
    path = shared / "crds" / "gpu-operator" / GPU_OPERATOR / "nvidia.com_clusterpolicies.yaml"
    if not path.is_file():
        pytest.skip(f"no CRD of gpu-operator {GPU_OPERATOR} in ../shared")
    definition = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    found: Json = closed(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    return found


def cluster_policy(values: Json) -> Json:
    """What templates/clusterpolicy.yaml makes of the values that are ours, beside sections that must be there."""
    config = {
        key: {name: values[key]["config"][name] for name in ("name", "default")}
        for key in ("migManager", "devicePlugin")
    }
    spec = {
        "operator": {},
        "daemonsets": values["daemonsets"],
        "driver": values["driver"],
        "toolkit": values["toolkit"],
        "mig": {key: value for key, value in values["mig"].items() if value},
        "migManager": {**values["migManager"], "config": config["migManager"]},
        "devicePlugin": {**values["devicePlugin"], "config": config["devicePlugin"]},
        "gfd": values["gfd"],
        "dcgm": {"enabled": False},
        "dcgmExporter": values["dcgmExporter"],
        "nodeStatusExporter": {"enabled": False},
    }
    return {
        "apiVersion": "nvidia.com/v1",
        "kind": "ClusterPolicy",
        "metadata": {"name": "cluster-policy"},
        "spec": spec,
    }


def problems(policy: Json, schema: Json) -> list[str]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(policy)
    return [f"{error.json_path}: {error.message}" for error in found]


def test_the_cluster_policy_is_as_its_crd_wants_it(schema: Json) -> None:
    assert problems(cluster_policy(gpu_operator_values(BEARS, True)), schema) == []


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("mig", {"strategy": "both"}),
        ("migManager", {"config": {"name": LAYOUTS, "default": "all-1g.10gb"}}),
        ("devicePlugin", {"enabeld": True}),
        ("driver", {"enabled": "no"}),
    ],
)
def test_the_check_finds_what_is_wrong(section: str, change: Json, schema: Json) -> None:
    """A default layout among it: the CRD allows none but all-disabled, so that each pool must name its own."""
    policy = cluster_policy(gpu_operator_values(BEARS, True))
    policy["spec"][section] = {**policy["spec"][section], **change}

    assert problems(policy, schema)


def test_what_the_machine_image_brings_is_off() -> None:
    values = gpu_operator_values([], False)

    assert values["driver"] == values["toolkit"] == {"enabled": False}
    assert values["mig"] == {"strategy": ""}  # MIG_STRATEGY in the environment would beat each node's configuration
    assert {"name": "MOFED_ENABLED", "value": "false"} in values["devicePlugin"]["env"]
    assert values["migManager"]["config"] == {"create": False, "name": LAYOUTS, "default": "all-disabled"}
    assert values["devicePlugin"]["config"] == {"create": False, "name": SHARES, "default": "whole"}


def test_a_map_of_our_own_still_knows_how_to_undo_a_layout() -> None:
    layouts = yaml.safe_load(layouts_data({"chat": {"3g.40gb": 1, "2g.20gb": 2}})["config.yaml"])

    assert layouts["version"] == "v1"
    assert layouts["mig-configs"]["all-disabled"] == [{"devices": "all", "mig-enabled": False}]


def test_each_way_to_divide_is_a_configuration_of_the_plugin() -> None:
    found = {name: yaml.safe_load(text) for name, text in shares_data(["mig-single", "mps-4"]).items()}

    assert found["whole"] == {"version": "v1", "flags": {"migStrategy": "none"}}
    assert found["mig-single"] == {"version": "v1", "flags": {"migStrategy": "single"}}
    assert found["mps-4"]["sharing"] == {"mps": {"resources": [{"name": "nvidia.com/gpu", "replicas": 4}]}}
