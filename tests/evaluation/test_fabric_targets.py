"""Where the fabric goes by target: nothing by default, no operator twice, what the embedded environment leaves out."""

from pathlib import Path
from typing import Any

import pytest

from infra.plan import Plan
from stacks.evaluation import evaluate
from tests.conftest import ENVIRONMENTS
from tests.evaluation.programs import plan_of, stack_file

EXISTING = """
gpu-platform:platform:
  target: {target}
  tags: {{owner: ml-platform, cost-center: research}}
  aws: {{accountId: "111111111111", region: us-east-2}}
  network:
    zones: [use2-az1, use2-az2]
  cluster:
    name: there
    {installed}
  fabric:
    placementGroups: [group]
    hybrid:
      sriov:
        - {{name: roce, resourceName: vf, physicalFunctions: [ens1f0], virtualFunctions: 4, namespace: batch}}
  nodePools:
    - name: training
      purpose: training
      instanceTypes: [p5.48xlarge]
      capacityTypes: [on-demand]
      zones: [use2-az2]
      fabric: efa
      placementGroup: group
      taints: [{{key: team, value: blue, effect: NoSchedule}}]
      limits: {{gpus: 16, nodes: 2}}
"""
KINDS = {"EfaFabric", "SriovFabric", "NodeOverlay", "PlacementGroup", "SriovNetwork", "NicClusterPolicy"}


def plan(folder: Path, target: str, installed: str = "") -> Plan:
    return evaluate(stack_file(EXISTING.format(target=target, installed=installed), folder), "stand-in")


def kinds(found: Plan) -> set[str]:
    return {item.type_token.rpartition(":")[2] for item in found}


def charts(found: Plan) -> set[str]:
    return {str(item.inputs["chart"]).rpartition("/")[2] for item in found.of_type("kubernetes:helm.sh/v3:Release")}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nothing_of_it_is_there_unless_asked_for(environment: str) -> None:
    """Holds until an environment asks for it; then it belongs into its golden file."""
    found = plan_of(environment, "stand-in")
    asked = any("efa-only" in str(item.inputs) for item in found)

    assert bool(KINDS & kinds(found)) == asked


def test_an_existing_cluster_gets_what_it_lacks(tmp_path: Path) -> None:
    assert charts(plan(tmp_path, "existing")) == {
        "aws-efa-k8s-device-plugin",
        "sriov-network-operator-chart",
        "network-operator",
    }


def test_operators_that_are_there_are_left_alone(tmp_path: Path) -> None:
    there = ["karpenter", "aws-load-balancer-controller", "aws-efa-k8s-device-plugin", "sriov-network-operator"]
    found = plan(tmp_path, "existing", f"installed: [{', '.join([*there, 'network-operator'])}]")

    assert charts(found) == set()
    assert kinds(found) >= KINDS
    assert "Namespace" not in kinds(found)


def test_the_device_plugin_tolerates_the_pools_own_taints(tmp_path: Path) -> None:
    (plugin,) = [
        item
        for item in plan(tmp_path, "existing").of_type("kubernetes:helm.sh/v3:Release")
        if item.inputs["chart"] == "aws-efa-k8s-device-plugin"
    ]
    values: Any = plugin.inputs["values"]

    assert [item["key"] for item in values["tolerations"]] == ["nvidia.com/gpu", "gpu-platform/purpose", "team"]


def test_the_embedded_environment_has_the_objects_and_nothing_in_aws(tmp_path: Path) -> None:
    found = plan(tmp_path, "local")

    assert charts(found) == set()
    assert kinds(found) >= KINDS - {"PlacementGroup"}
    assert not any(item.type_token.startswith("aws:") for item in found)
