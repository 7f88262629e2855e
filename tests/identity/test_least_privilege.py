"""No IAM document of the platform gives more than it must."""

from typing import Any

import pytest

from components.cluster.platform_key import key_policy
from components.identity.documents import AwsPlace, allow, document, pod_identity_trust, role_trust, service_trust
from components.identity.pod_identity_role import PodIdentityRole
from components.network.load_balancer_policies import load_balancer_policies
from components.nodes.interruption import queue_policy
from components.nodes.karpenter_controller import KarpenterController
from components.nodes.karpenter_policies import controller_policies
from components.tenancy.external_secrets_rights import assume_policy, read_policy
from infra.plan import Plan
from infra.settings import StackFile
from stacks.evaluation import evaluate
from tests.evaluation.programs import run, unknown
from tests.identity.least_privilege import (
    WIDE_ACTIONS,
    WIDE_RESOURCES,
    IamDocument,
    faults,
    iam_documents,
    parse,
    unreadable_documents,
)

PLACE = AwsPlace("aws", "us-east-2", "111122223333", "llm")
ROLE = "arn:aws:iam::111122223333:role/KarpenterNodeRole-llm"
QUEUE = "arn:aws:sqs:us-east-2:111122223333:llm"


def built() -> list[IamDocument]:
    """Every document that our builders can make."""
    texts = {
        **controller_policies(PLACE, ROLE, QUEUE),
        **load_balancer_policies(PLACE),
        "queue": queue_policy(PLACE),
        "key": key_policy(PLACE),
        "secret-operator": assume_policy(PLACE),
        "secrets-of-a-tenant": read_policy(PLACE, ["ml/hugging-face"]),
    }
    trusts = {
        "pod-identity": pod_identity_trust(PLACE),
        "ec2": service_trust("ec2.amazonaws.com"),
        "role": role_trust(PLACE, "ExternalSecrets-llm"),
    }
    return [
        *(parse(text, name) for name, text in texts.items()),
        *(parse(text, name, "assumeRolePolicy") for name, text in trusts.items()),
    ]


@pytest.mark.parametrize("item", built(), ids=lambda item: item.where)
def test_what_our_builders_make(item: IamDocument) -> None:
    assert faults(item) == []


def test_every_exception_is_in_use() -> None:
    """An exception that nothing needs any more is a hole for the next statement of that name."""
    statements = [statement for item in built() for statement in item.statements]
    on_all = {item["Sid"] for item in statements if item.get("Resource") in ("*", ["*"])}
    whole = {(item["Sid"], action) for item in statements for action in item["Action"] if action.endswith(":*")}

    assert on_all == set(WIDE_RESOURCES)
    assert whole == set(WIDE_ACTIONS)


def trusting(role: str | None) -> dict[str, Any]:
    """A trust in a whole account, bound to a role or to none."""
    bound = {"Condition": {"ArnEquals": {"aws:PrincipalArn": role}}} if role else {}
    whom = {"AWS": "arn:aws:iam::111122223333:root"}
    return {"Sid": "Account", "Effect": "Allow", "Principal": whom, "Action": ["sts:AssumeRole"], **bound}


@pytest.mark.parametrize(
    ("statement", "kind", "fault"),
    [
        (allow("All", "*", QUEUE), "policy", "allows *"),
        (allow("Service", "s3:*", QUEUE), "policy", "allows s3:*"),
        (allow("AccountManagesKey", "iam:*", QUEUE), "policy", "allows iam:*"),
        (allow("Everywhere", "sqs:SendMessage", ["*"]), "policy", "is on every resource"),
        ({**allow("x", "sqs:SendMessage", QUEUE), "Sid": ""}, "policy", "must have a Sid"),
        ({"Sid": "Not", "Effect": "Allow", "NotAction": ["iam:*"], "Resource": [QUEUE]}, "policy", "is not meant"),
        (
            {"Sid": "Root", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]},
            "assumeRolePolicy",
            "not a service",
        ),
        (
            {"Sid": "Any", "Effect": "Allow", "Principal": {"Service": ["*"]}, "Action": ["sts:AssumeRole"]},
            "assumeRolePolicy",
            "not a service",
        ),
        (trusting(None), "assumeRolePolicy", "nor one role of it"),
        (trusting("arn:aws:iam::111122223333:role/*"), "assumeRolePolicy", "nor one role of it"),
        (trusting("arn:aws:iam::999999999999:role/theirs"), "assumeRolePolicy", "nor one role of it"),
    ],
)
def test_a_fault_is_found_and_located(statement: dict[str, Any], kind: str, fault: str) -> None:
    (found,) = faults(parse(document(statement), "role.policy", kind))

    assert found.startswith("role.policy: ")
    assert fault in found


def karpenter() -> None:
    KarpenterController(
        "karpenter",
        {
            "partition": "aws",
            "region": "us-east-2",
            "account_id": "111122223333",
            "cluster_name": "llm",
            "node_role_name": "KarpenterNodeRole-llm",
            "chart": "oci://public.ecr.aws/karpenter/karpenter",
            "crd_chart": "oci://public.ecr.aws/karpenter/karpenter-crd",
            "version": "1.14.1",
            "feature_gates": {"reservedCapacity": True},
        },
    )


def test_documents_are_found_in_a_plan_and_judged() -> None:
    plan = run(karpenter)
    found = iam_documents(plan)

    assert [fault for item in found for fault in faults(item)] == []
    assert unreadable_documents(plan) == []
    # six policies of the controller, its trust and that of the nodes, and who may write to the queue
    assert sorted(item.kind for item in found) == ["assumeRolePolicy"] * 2 + ["policy"] * 7


def test_a_wide_document_in_a_plan_is_found() -> None:
    def program() -> None:
        args: Any = {
            "partition": "aws",
            "region": "us-east-2",
            "account_id": "111122223333",
            "cluster_name": "llm",
            "namespace": "llm",
            "service_account": "engine",
            "policies": {"weights": document(allow("ReadAll", "s3:GetObject", "*"))},
        }
        PodIdentityRole("engine", args)

    found = [fault for item in iam_documents(run(program)) for fault in faults(item)]

    assert found == ["engine-weights.policy: ReadAll is on every resource"]


def test_a_document_that_nobody_can_read_before_up_is_named() -> None:
    def program() -> None:
        from pulumi_aws.iam import Policy

        Policy("hidden", policy=unknown())

    plan = run(program)

    assert iam_documents(plan) == []
    assert unreadable_documents(plan) == ["hidden.policy"]


@pytest.fixture
def plan(stack: StackFile) -> Plan:
    return evaluate(stack)


def test_environments_keep_to_least_privilege(plan: Plan) -> None:
    assert [fault for item in iam_documents(plan) for fault in faults(item)] == []
    assert unreadable_documents(plan) == []


def test_environments_on_eks_hold_iam_documents(stack: StackFile, plan: Plan) -> None:
    if stack.settings.target != "eks":
        pytest.skip("nothing is made in AWS")

    assert iam_documents(plan)
