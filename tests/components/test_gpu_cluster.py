"""The cluster: what its components hand to EKS, and in which order."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.cluster.addons import OPTIONAL_ADDONS, chosen_addons
from components.cluster.gpu_cluster import control_plane_transform
from infra.plan import Plan, PlannedResource
from infra.plan.ordering import predecessors
from infra.settings import load_stack_file
from infra.versions import EKS_ADDONS, KUBERNETES_MINORS_SUPPORTED
from stacks.evaluation import evaluate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return evaluate(load_stack_file(ROOT / "Pulumi.prod.yaml"), "stand-in")


def named(plan: Plan, name: str) -> PlannedResource:
    return next(item for item in plan if item.name == name)


def waits_for(plan: Plan, name: str) -> set[str]:
    """Names of everything that must be there before `name`, near and far."""
    by_urn, found, ahead = plan.by_urn(), set[str](), [named(plan, name)]
    while ahead:
        for urn in predecessors(ahead.pop()):
            if urn in by_urn and urn not in found:
                found.add(urn)
                ahead.append(by_urn[urn])
    return {by_urn[urn].name for urn in found}


def test_nodes_come_after_what_makes_them_ready(plan: Plan) -> None:
    before = waits_for(plan, "gpu-prod-system-group")

    assert {"gpu-prod-vpc-cni", "gpu-prod-eks-pod-identity-agent", "gpu-prod-from-nodes"} <= before
    assert {f"network-private-use2-az{number}-default-route" for number in (1, 2, 3)} <= before


@pytest.mark.parametrize("addon", ["coredns", "kube-proxy", "metrics-server", "aws-ebs-csi-driver"])
def test_addons_that_are_pods_come_after_nodes(addon: str, plan: Plan) -> None:
    assert "gpu-prod-system-group" in waits_for(plan, f"gpu-prod-{addon}")


def test_the_log_group_is_ours_before_the_cluster(plan: Plan) -> None:
    assert "gpu-prod-log-group" in waits_for(plan, "gpu-prod-control-plane")


def test_karpenter_waits_for_nodes_rights_and_definitions(plan: Plan) -> None:
    before = waits_for(plan, "karpenter-controller")

    assert {"gpu-prod-system-group", "karpenter-crds", "karpenter-identity-association"} <= before
    assert {"karpenter-queue-policy", "karpenter-node-access", "gpu-prod-coredns"} <= before


def test_everything_in_the_cluster_goes_before_karpenter(plan: Plan) -> None:
    for pool in plan.of_type("kubernetes:karpenter.sh/v1:NodePool"):
        assert "karpenter-controller" in waits_for(plan, pool.name)
    for server in plan.of_type("kubernetes:apps/v1:Deployment"):
        assert "karpenter-controller" in waits_for(plan, server.name)


def test_system_nodes_hold_karpenter_in_two_zones(plan: Plan) -> None:
    group = named(plan, "gpu-prod-system-group").inputs
    scaling: Any = group["scalingConfig"]

    assert scaling["minSize"] >= 2
    assert len(group["subnetIds"]) >= 2  # type: ignore[arg-type]
    assert group["taints"] == [{"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}]


def test_every_addon_is_pinned_for_every_supported_version() -> None:
    for addon in chosen_addons(OPTIONAL_ADDONS):
        for minor in KUBERNETES_MINORS_SUPPORTED:
            assert EKS_ADDONS[addon.name][minor].startswith("v")


def test_addons_with_rights_take_them_by_pod_identity(plan: Plan) -> None:
    for item in plan.of_type("aws:eks/addon:Addon"):
        wanted = next(addon for addon in chosen_addons(OPTIONAL_ADDONS) if addon.name == item.inputs["addonName"])
        associations: Any = item.inputs.get("podIdentityAssociations") or []
        assert {entry["serviceAccount"] for entry in associations} == set(wanted.service_accounts)
        assert "serviceAccountRoleArn" not in item.inputs


def test_the_transform_reaches_the_inner_cluster_only() -> None:
    transform = control_plane_transform("tier-xl")

    def call(type_token: str, props: dict[str, Any]) -> Any:
        options = pulumi.ResourceOptions()
        return transform(pulumi.ResourceTransformArgs(True, type_token, "name", props, options))

    assert call("aws:iam/role:Role", {}) is None
    given = {"accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True}}
    changed = call("aws:eks/cluster:Cluster", given).props
    assert changed["accessConfig"] == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    assert changed["controlPlaneScalingConfig"] == {"tier": "tier-xl"}
    strategy = changed["kubeSchedulerConfig"]["nodeResourcesFit"]["scoringStrategy"]
    assert strategy == {"type": "MostAllocated", "resources": [{"name": "nvidia.com/gpu", "weight": 1}]}
    assert json.dumps(given).count("true") == 1, "the caller's own data stays as it was"


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_everything_that_can_carry_tags_does(environment: str) -> None:
    stack = load_stack_file(ROOT / f"Pulumi.{environment}.yaml")
    taggable = (
        "vpc:Vpc", "subnet:Subnet", "securityGroup:SecurityGroup", "natGateway:NatGateway", "eip:Eip", "key:Key",
        "routeTable:RouteTable", "vpcEndpoint:VpcEndpoint", "internetGateway:InternetGateway", "role:Role", "Policy",
        "logGroup:LogGroup", "queue:Queue", "eventRule:EventRule", "nodeGroup:NodeGroup", "addon:Addon",
        "launchTemplate:LaunchTemplate", "repository:Repository", "flowLog:FlowLog", "eks:index:Cluster",
    )  # fmt: skip
    untaggable = ("QueuePolicy", "LifecyclePolicy", "RolePolicy", "BucketPolicy")
    for item in evaluate(stack):
        if (
            item.type_token.startswith(("aws:", "eks:"))
            and item.type_token.endswith(taggable)
            and not item.type_token.endswith(untaggable)
        ):
            tags: Any = item.inputs.get("tags") or {}
            assert {"owner", "cost-center"} <= set(tags), item.urn


def test_names_stay_within_their_limits(plan: Plan) -> None:
    for item in plan.of_type("aws:iam/role:Role"):
        # An auto-named role is the name in the program, a dash and seven characters; IAM allows 64.
        assert len(str(item.inputs.get("name") or item.name + "-1234567")) <= 64, item.urn
