"""The AWS Load Balancer Controller: its rights against upstream's, its values, and the order of its parts."""

import json
from typing import Any

import pytest

from components.identity.documents import AwsPlace
from components.network.load_balancer_controller import LoadBalancerController, LoadBalancerControllerArgs
from components.network.load_balancer_policies import load_balancer_policies
from components.network.load_balancer_values import load_balancer_values
from infra.plan import Marker, Plan
from infra.versions import LOAD_BALANCER_CONTROLLER, LOAD_BALANCER_CONTROLLER_REPOSITORY
from tests.evaluation.programs import run, unknown

PLACE = AwsPlace("aws", "us-east-2", "111122223333", "llm")
ACCOUNT = ":us-east-2:111122223333:"

# What upstream's policy (v3.5.0) allows to change, and on which of them it wants the cluster's tag: in the request, on
# the resource, or not at all. Written from docs/install/iam_policy.json.
BY_REQUEST = "elasticloadbalancing:CreateLoadBalancer elasticloadbalancing:CreateTargetGroup"
BY_RESOURCE = (
    "ec2:DeleteSecurityGroup ec2:DeleteTags elasticloadbalancing:ModifyLoadBalancerAttributes "
    "elasticloadbalancing:SetIpAddressType elasticloadbalancing:SetSecurityGroups elasticloadbalancing:SetSubnets "
    "elasticloadbalancing:DeleteLoadBalancer elasticloadbalancing:ModifyTargetGroup "
    "elasticloadbalancing:ModifyTargetGroupAttributes elasticloadbalancing:DeleteTargetGroup "
    "elasticloadbalancing:ModifyListenerAttributes elasticloadbalancing:ModifyCapacityReservation "
    "elasticloadbalancing:ModifyIpPools"
)
UNTAGGED = (
    "elasticloadbalancing:CreateListener elasticloadbalancing:DeleteListener elasticloadbalancing:CreateRule "
    "elasticloadbalancing:DeleteRule elasticloadbalancing:RegisterTargets elasticloadbalancing:DeregisterTargets "
    "elasticloadbalancing:SetWebAcl elasticloadbalancing:ModifyListener elasticloadbalancing:AddListenerCertificates "
    "elasticloadbalancing:RemoveListenerCertificates elasticloadbalancing:ModifyRule "
    "elasticloadbalancing:SetRulePriorities"
)
# Read in the code of v3.5.0: without these the controller logs an error at every round, whatever it has to do.
READS = (
    "ec2:DescribeAvailabilityZones ec2:DescribeSubnets ec2:DescribeRouteTables ec2:GetSecurityGroupsForVpc "
    "elasticloadbalancing:DescribeLoadBalancers elasticloadbalancing:DescribeCapacityReservation "
    "elasticloadbalancing:DescribeListenerAttributes elasticloadbalancing:DescribeTrustStores acm:ListCertificates "
    "wafv2:GetWebACLForResource"
)


def statements() -> list[dict[str, Any]]:
    return [item for text in load_balancer_policies(PLACE).values() for item in json.loads(text)["Statement"]]


def those_with(action: str) -> list[dict[str, Any]]:
    found = [item for item in statements() if action in item["Action"]]
    assert found, f"nothing allows {action}"
    return found


@pytest.mark.parametrize("action", READS.split() + UNTAGGED.split())
def test_what_upstream_allows_is_allowed(action: str) -> None:
    assert those_with(action)


@pytest.mark.parametrize("action", BY_REQUEST.split())
def test_what_is_made_is_tagged_as_this_clusters(action: str) -> None:
    for item in those_with(action):
        assert item["Condition"]["StringEquals"]["aws:RequestTag/elbv2.k8s.aws/cluster"] == "llm"


@pytest.mark.parametrize("action", BY_RESOURCE.split())
def test_what_is_changed_is_this_clusters(action: str) -> None:
    for item in those_with(action):
        assert item["Condition"]["StringEquals"]["aws:ResourceTag/elbv2.k8s.aws/cluster"] == "llm"


@pytest.mark.parametrize("action", ["ec2:CreateTags", "elasticloadbalancing:AddTags"])
def test_tags_are_put_only_on_what_is_new_or_ours(action: str) -> None:
    for item in those_with(action):
        if item["Sid"] == "TagListeners":  # upstream asks for no tag there
            assert all(":listener" in resource for resource in item["Resource"])
            continue
        equals = item["Condition"]["StringEquals"]
        new = any(key.endswith(":CreateAction") for key in equals)
        assert equals[f"aws:{'Request' if new else 'Resource'}Tag/elbv2.k8s.aws/cluster"] == "llm"
        if not new:  # the tag that says whose it is cannot be given away
            assert item["Condition"]["Null"] == {"aws:RequestTag/elbv2.k8s.aws/cluster": "true"}


@pytest.mark.parametrize("action", ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"])
def test_only_groups_of_this_cluster_are_opened(action: str) -> None:
    tags = [key for item in those_with(action) for key in item["Condition"]["StringEquals"]]

    assert tags == [
        "aws:ResourceTag/elbv2.k8s.aws/cluster",
        "aws:ResourceTag/karpenter.sh/discovery",
        "aws:ResourceTag/kubernetes.io/cluster/llm",
    ]


def test_every_arn_is_of_this_account() -> None:
    arns = [arn for item in statements() for arn in item["Resource"] if arn != "*"]

    assert [arn for arn in arns if ACCOUNT not in arn and not arn.startswith("arn:aws:iam::111122223333:")] == []


def test_features_that_are_off_have_no_rights() -> None:
    values = load_balancer_values("llm", "us-east-2", "vpc-1", {})
    services = {action.partition(":")[0] for item in statements() for action in item["Action"]}

    assert (values["enableWaf"], values["enableShield"]) == (False, False)
    assert services == {"acm", "cognito-idp", "ec2", "elasticloadbalancing", "iam", "wafv2"}


def test_every_document_fits_a_managed_policy() -> None:
    """IAM takes 6144 characters without white space."""
    longest = AwsPlace("aws-us-gov", "us-gov-west-1", "111122223333", "c" * 100)

    for name, text in load_balancer_policies(longest).items():
        assert len("".join(text.split())) <= 6144, name


def test_the_metadata_service_is_not_needed() -> None:
    values = load_balancer_values("llm", "us-east-2", "vpc-1", {})

    assert (values["clusterName"], values["region"], values["vpcId"]) == ("llm", "us-east-2", "vpc-1")


def test_it_stands_twice_on_the_system_nodes_and_blocks_no_service() -> None:
    values = load_balancer_values("llm", "us-east-2", "vpc-1", {"team": "ml"})

    assert values["replicaCount"] == 2
    assert values["tolerations"] == [{"key": "CriticalAddonsOnly", "operator": "Exists"}]
    assert values["podDisruptionBudget"] == {"maxUnavailable": 1}
    assert values["enableServiceMutatorWebhook"] is False
    assert values["defaultTags"] == {"team": "ml"}


def controller(skip_crds: bool | None = None) -> Plan:
    return run(lambda: LoadBalancerController("lb", controller_args(skip_crds)))


def controller_args(skip_crds: bool | None) -> LoadBalancerControllerArgs:
    args: LoadBalancerControllerArgs = {
        "partition": "aws",
        "region": "us-east-2",
        "account_id": "111122223333",
        "cluster_name": "llm",
        "vpc_id": unknown(),
        "chart": "aws-load-balancer-controller",
        "repository": LOAD_BALANCER_CONTROLLER_REPOSITORY,
        "version": LOAD_BALANCER_CONTROLLER,
    }
    if skip_crds is not None:
        args["skip_crds"] = skip_crds
    return args


def test_the_release_waits_for_its_rights() -> None:
    plan = controller()
    (release,) = plan.of_type("kubernetes:helm.sh/v3:Release")
    (association,) = plan.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation")

    assert association.urn in release.dependencies
    assert len(plan.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")) == 3
    assert release.inputs["namespace"] == "kube-system"
    assert release.inputs["version"] == LOAD_BALANCER_CONTROLLER
    assert release.inputs["repositoryOpts"] == {"repo": LOAD_BALANCER_CONTROLLER_REPOSITORY}


def test_the_role_is_taken_by_the_service_account_of_the_chart() -> None:
    plan = controller()
    (release,) = plan.of_type("kubernetes:helm.sh/v3:Release")
    (association,) = plan.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    values = release.inputs["values"]

    assert isinstance(values, dict)
    assert values["serviceAccount"] == {"create": True, "name": association.inputs["serviceAccount"]}
    assert association.inputs["namespace"] == release.inputs["namespace"]
    assert values["vpcId"] is Marker.UNKNOWN


@pytest.mark.parametrize(("there", "skipped"), [(None, False), (True, True)])
def test_the_release_brings_its_crds_unless_they_are_there(there: bool | None, skipped: bool) -> None:
    (release,) = controller(there).of_type("kubernetes:helm.sh/v3:Release")

    assert release.inputs["skipCrds"] is skipped
