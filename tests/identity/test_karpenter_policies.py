"""Karpenter's rights against what it needs, statement by statement.

The table is written from knowledge/aws.md 3.1 (Karpenter v1.14.1, CloudFormation template), not from the code.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from components.identity.documents import AwsPlace
from components.nodes.interruption import INTERRUPTION_EVENTS, event_pattern, queue_policy
from components.nodes.karpenter_policies import controller_policies

PLACE = AwsPlace("aws-us-gov", "us-gov-west-1", "111122223333", "llm")
NODE_ROLE = "arn:aws-us-gov:iam::111122223333:role/KarpenterNodeRole-llm"
QUEUE = "arn:aws-us-gov:sqs:us-gov-west-1:111122223333:llm"

EC2 = "arn:aws-us-gov:ec2:us-gov-west-1"
PROFILES = "arn:aws-us-gov:iam::111122223333:instance-profile/*"
CLUSTER_ARN = "arn:aws-us-gov:eks:us-gov-west-1:111122223333:cluster/llm"

OWNED = "kubernetes.io/cluster/llm"
LAUNCHED = [
    f"{EC2}:*:{kind}/*"
    for kind in ("fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request")
]
LAUNCHES = ["RunInstances", "CreateFleet", "CreateLaunchTemplate"]

# Values that a tag or key must have; None where any will do.
Keys = dict[str, Any]
RESOURCE_TAGS: Keys = {f"aws:ResourceTag/{OWNED}": "owned", "aws:ResourceTag/karpenter.sh/nodepool": "*"}
REQUEST_TAGS: Keys = {
    f"aws:RequestTag/{OWNED}": "owned",
    "aws:RequestTag/eks:eks-cluster-name": "llm",
    "aws:RequestTag/karpenter.sh/nodepool": "*",
}
PROFILE_RESOURCE: Keys = {
    f"aws:ResourceTag/{OWNED}": "owned",
    "aws:ResourceTag/topology.kubernetes.io/region": "us-gov-west-1",
    "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass": "*",
}
PROFILE_REQUEST: Keys = {
    f"aws:RequestTag/{OWNED}": "owned",
    "aws:RequestTag/eks:eks-cluster-name": "llm",
    "aws:RequestTag/topology.kubernetes.io/region": "us-gov-west-1",
    "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass": "*",
}


@dataclass(frozen=True)
class Required:
    """One row of the table."""

    policy: str
    sid: str
    actions: list[str]
    resources: list[str]
    keys: Keys


def ec2(*actions: str) -> list[str]:
    return [f"ec2:{action}" for action in actions]


REQUIRED = [
    Required(
        "node-lifecycle",
        "AllowScopedEC2InstanceAccessActions",
        ec2("RunInstances", "CreateFleet"),
        [
            f"{EC2}::image/*",
            f"{EC2}::snapshot/*",
            f"{EC2}:*:security-group/*",
            f"{EC2}:*:subnet/*",
            f"{EC2}:*:capacity-reservation/*",
            f"{EC2}:*:placement-group/*",
        ],
        {},
    ),
    Required(
        "node-lifecycle",
        "AllowScopedEC2LaunchTemplateAccessActions",
        ec2("RunInstances", "CreateFleet"),
        [f"{EC2}:*:launch-template/*"],
        RESOURCE_TAGS,
    ),
    Required("node-lifecycle", "AllowScopedEC2InstanceActionsWithTags", ec2(*LAUNCHES), LAUNCHED, REQUEST_TAGS),
    Required(
        "node-lifecycle",
        "AllowScopedResourceCreationTagging",
        ec2("CreateTags"),
        LAUNCHED,
        {**REQUEST_TAGS, "ec2:CreateAction": LAUNCHES},
    ),
    Required(
        "node-lifecycle",
        "AllowScopedResourceTagging",
        ec2("CreateTags"),
        [f"{EC2}:*:instance/*"],
        {
            **RESOURCE_TAGS,
            "aws:RequestTag/eks:eks-cluster-name": "llm",
            "aws:TagKeys": ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"],
        },
    ),
    Required(
        "node-lifecycle",
        "AllowScopedDeletion",
        ec2("TerminateInstances", "DeleteLaunchTemplate"),
        [f"{EC2}:*:instance/*", f"{EC2}:*:launch-template/*"],
        RESOURCE_TAGS,
    ),
    Required(
        "iam-integration",
        "AllowPassingInstanceRole",
        ["iam:PassRole"],
        [NODE_ROLE],
        {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]},
    ),
    Required(
        "iam-integration",
        "AllowScopedInstanceProfileCreationActions",
        ["iam:CreateInstanceProfile"],
        [PROFILES],
        PROFILE_REQUEST,
    ),
    Required(
        "iam-integration",
        "AllowScopedInstanceProfileTagActions",
        ["iam:TagInstanceProfile"],
        [PROFILES],
        {**PROFILE_RESOURCE, **PROFILE_REQUEST},
    ),
    Required(
        "iam-integration",
        "AllowScopedInstanceProfileActions",
        ["iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"],
        [PROFILES],
        PROFILE_RESOURCE,
    ),
    Required("eks-integration", "AllowAPIServerEndpointDiscovery", ["eks:DescribeCluster"], [CLUSTER_ARN], {}),
    Required(
        "interruption",
        "AllowInterruptionQueueActions",
        ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"],
        [QUEUE],
        {},
    ),
    Required(
        "zonal-shift",
        "AllowZonalShiftStatusReadOnly",
        ["arc-zonal-shift:GetManagedResource"],
        ["*"],
        {"arc-zonal-shift:ResourceIdentifier": CLUSTER_ARN},
    ),
    Required(
        "resource-discovery",
        "AllowRegionalReadActions",
        ec2(
            "DescribeCapacityReservations",
            "DescribeImages",
            "DescribeInstances",
            "DescribeInstanceStatus",
            "DescribeInstanceTypeOfferings",
            "DescribeInstanceTypes",
            "DescribeLaunchTemplates",
            "DescribePlacementGroups",
            "DescribeSecurityGroups",
            "DescribeSpotPriceHistory",
            "DescribeSubnets",
        ),
        ["*"],
        {"aws:RequestedRegion": "us-gov-west-1"},
    ),
    Required(
        "resource-discovery",
        "AllowSSMReadActions",
        ["ssm:GetParameter"],
        ["arn:aws-us-gov:ssm:us-gov-west-1::parameter/aws/service/*"],
        {},
    ),
    Required("resource-discovery", "AllowPricingReadActions", ["pricing:GetProducts"], ["*"], {}),
    Required("resource-discovery", "AllowUnscopedInstanceProfileListAction", ["iam:ListInstanceProfiles"], ["*"], {}),
    Required("resource-discovery", "AllowInstanceProfileReadActions", ["iam:GetInstanceProfile"], [PROFILES], {}),
]


def policies() -> dict[str, str]:
    return controller_policies(PLACE, NODE_ROLE, QUEUE)


def missing(found: dict[str, str], required: list[Required]) -> list[str]:
    """The Sids of `required` that no policy of that name holds."""
    held = {(name, item["Sid"]) for name, text in found.items() for item in json.loads(text)["Statement"]}
    return [row.sid for row in required if (row.policy, row.sid) not in held]


def keys_of(statement: dict[str, Any]) -> Keys:
    """The condition's keys and values, whatever the operator; a key under two operators would be lost, so none is."""
    conditions: dict[str, dict[str, Any]] = statement.get("Condition", {})
    pairs = [pair for keys in conditions.values() for pair in keys.items()]
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def test_no_required_statement_is_missing() -> None:
    assert missing(policies(), REQUIRED) == []


def test_a_missing_statement_is_named() -> None:
    found = policies()
    document = json.loads(found["resource-discovery"])
    document["Statement"] = [
        item for item in document["Statement"] if item["Sid"] != "AllowUnscopedInstanceProfileListAction"
    ]
    found["resource-discovery"] = json.dumps(document)

    assert missing(found, REQUIRED) == ["AllowUnscopedInstanceProfileListAction"]


def test_there_is_nothing_beyond_the_table() -> None:
    held = {item["Sid"] for text in policies().values() for item in json.loads(text)["Statement"]}

    assert held == {row.sid for row in REQUIRED}


@pytest.mark.parametrize("row", REQUIRED, ids=lambda row: row.sid)
def test_statement_is_as_required(row: Required) -> None:
    (statement,) = [item for item in json.loads(policies()[row.policy])["Statement"] if item["Sid"] == row.sid]

    assert statement["Effect"] == "Allow"
    assert sorted(statement["Action"]) == sorted(row.actions)
    assert sorted(statement["Resource"]) == sorted(row.resources)
    assert keys_of(statement) == row.keys


@pytest.mark.parametrize(
    ("key", "operator"),
    [
        ("aws:ResourceTag/karpenter.sh/nodepool", "StringLike"),
        ("aws:RequestTag/karpenter.sh/nodepool", "StringLike"),
        ("aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass", "StringLike"),
        ("aws:RequestTag/karpenter.k8s.aws/ec2nodeclass", "StringLike"),
        ("aws:TagKeys", "ForAllValues:StringEquals"),
    ],
)
def test_a_star_is_matched_and_a_list_is_for_all(key: str, operator: str) -> None:
    """StringEquals would compare with a literal star and never hold."""
    statements = [item for text in policies().values() for item in json.loads(text)["Statement"]]
    operators = {name for item in statements for name, keys in item.get("Condition", {}).items() if key in keys}

    assert operators == {operator}


def test_tagging_a_running_instance_may_leave_the_cluster_name_out() -> None:
    (statement,) = [
        item
        for item in json.loads(policies()["node-lifecycle"])["Statement"]
        if item["Sid"] == "AllowScopedResourceTagging"
    ]

    assert statement["Condition"]["StringEqualsIfExists"] == {"aws:RequestTag/eks:eks-cluster-name": "llm"}


def test_every_document_fits_a_managed_policy() -> None:
    """IAM takes 6144 characters without white space."""
    longest = AwsPlace("aws-us-gov", "us-gov-west-1", "111122223333", "c" * 100)

    for name, text in controller_policies(longest, NODE_ROLE, QUEUE).items():
        assert len("".join(text.split())) <= 6144, name


def test_all_five_kinds_of_event_reach_the_queue() -> None:
    patterns = [json.loads(event_pattern(*event)) for event in INTERRUPTION_EVENTS.values()]

    assert sorted((item["source"][0], item["detail-type"][0]) for item in patterns) == [
        ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
        ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
        ("aws.ec2", "EC2 Instance State-change Notification"),
        ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
        ("aws.health", "AWS Health Event"),
    ]


def test_only_rules_of_this_account_write_to_the_queue_and_only_over_tls() -> None:
    send, deny = json.loads(queue_policy(PLACE))["Statement"]

    assert send["Principal"] == {"Service": ["events.amazonaws.com", "sqs.amazonaws.com"]}
    assert (send["Action"], send["Resource"]) == (["sqs:SendMessage"], [QUEUE])
    assert send["Condition"] == {
        "ArnLike": {"aws:SourceArn": "arn:aws-us-gov:events:us-gov-west-1:111122223333:rule/*"}
    }
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", ["sqs:*"])
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
