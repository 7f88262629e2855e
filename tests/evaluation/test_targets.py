"""What is there already is used and never made again."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from infra.errors import PlatformError
from infra.plan import Plan
from infra.settings import StackFile, parse_settings
from stacks.evaluation import evaluate
from tests.conftest import ROOT

EXISTING_NETWORK = {
    "vpcId": "vpc-0123456789abcdef0",
    "nodeSubnetIds": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "controlPlaneSubnetIds": ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
    "nodeSecurityGroupId": "sg-0123456789abcdef0",
}


def evaluated(change: Callable[[dict[str, Any]], object]) -> Plan:
    """The plan of dev with a change of its settings."""
    document = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
    raw = copy.deepcopy(document["config"]["gpu-platform:platform"])
    change(raw)
    settings = parse_settings(raw)
    return evaluate(StackFile("dev", "dev", settings.layers, settings, frozenset()), "stand-in")


def kinds(plan: Plan) -> set[str]:
    return {item.type_token.rpartition(":")[2] for item in plan}


def test_a_network_that_is_there_is_used() -> None:
    plan = evaluated(lambda raw: raw["network"].update(existing=EXISTING_NETWORK))

    assert not {"Vpc", "Subnet", "NatGateway", "GpuNetwork"} & kinds(plan)
    (cluster,) = plan.of_type("eks:index:Cluster")
    assert cluster.inputs["vpcId"] == EXISTING_NETWORK["vpcId"]
    assert cluster.inputs["privateSubnetIds"] == EXISTING_NETWORK["controlPlaneSubnetIds"]
    (group,) = plan.of_type("aws:eks/nodeGroup:NodeGroup")
    assert group.inputs["subnetIds"] == EXISTING_NETWORK["nodeSubnetIds"]
    assert plan.exports["vpcId"] == EXISTING_NETWORK["vpcId"]


def test_a_cluster_that_is_there_gets_only_what_is_missing() -> None:
    def with_operators(raw: dict[str, Any]) -> None:
        raw.update(target="existing", gpuOperator={"enabled": False})
        raw["models"] = [model for model in raw["models"] if "kserve" not in model]

    plan = evaluated(with_operators)

    assert not {"Vpc", "Cluster", "Addon", "NodeGroup", "KarpenterController", "Release"} & kinds(plan)
    assert {"NodePool", "EC2NodeClass", "Deployment"} <= kinds(plan)
    (provider,) = plan.of_type("pulumi:providers:kubernetes")
    assert provider.inputs["context"] == "gpu-dev"


def test_an_operator_that_is_missing_there_is_installed() -> None:
    def without_karpenter(raw: dict[str, Any]) -> None:
        raw.update(target="existing", gpuOperator={"enabled": False})
        raw["cluster"]["installed"] = ["aws-load-balancer-controller"]
        raw["models"] = [model for model in raw["models"] if "kserve" not in model]

    plan = evaluated(without_karpenter)

    assert {item.inputs["name"] for item in plan.of_type("kubernetes:helm.sh/v3:Release")} == {
        "karpenter",
        "karpenter-crd",
    }


def test_the_load_balancer_controller_needs_to_know_the_vpc() -> None:
    def without_controller(raw: dict[str, Any]) -> None:
        raw.update(target="existing")
        raw["cluster"]["installed"] = ["karpenter"]

    with pytest.raises(PlatformError, match="needs the VPC") as caught:
        evaluated(without_controller)
    assert "network.existing" in caught.value.mend


def test_one_nat_gateway_serves_every_zone() -> None:
    plan = evaluated(lambda raw: raw["network"].update(natGateways="one"))

    (gateway,) = plan.of_type("aws:ec2/natGateway:NatGateway")
    assert gateway.name.endswith("usw2-az1")
    tables = {
        item.inputs["routeTableId"]
        for item in plan.of_type("aws:ec2/routeTableAssociation:RouteTableAssociation")
        if "public" not in item.name
    }
    assert len(tables) == 1


def test_optional_shapes_of_a_pool_reach_karpenter() -> None:
    def special(raw: dict[str, Any]) -> None:
        raw["nodePools"][1].update(
            staticNodes=2, placementGroup="dev-pg", zones=["usw2-az1"], topologyManager="restricted", maxPods=110
        )
        raw["models"] = [model for model in raw["models"] if "kserve" not in model]  # they would need a third node

    plan = evaluated(special)
    pool: Any = next(item for item in plan if item.name == "inference-l40s-spot-node-pool").inputs["spec"]
    machine: Any = next(item for item in plan if item.name == "inference-l40s-spot-node-class").inputs["spec"]

    assert pool["replicas"] == 2
    assert machine["placementGroupSelector"] == {"name": "dev-pg"}
    assert machine["kubelet"]["maxPods"] == 110
    assert "topologyManagerPolicy" in machine["userData"]
    (karpenter,) = (item for item in plan if item.name == "karpenter-controller")
    values: Any = karpenter.inputs["values"]
    assert values["settings"]["featureGates"]["staticCapacity"] is True
