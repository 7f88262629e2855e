"""The stand-ins refuse what the real providers refuse. Else an update that passes them would prove nothing."""

import json
from pathlib import Path

import pytest

from tests.engine.order import Group, violations
from tests.engine.providers.aws_formats import FORMATS, faults
from tests.engine.providers.aws_kinds import KINDS, Place, born
from tests.engine.providers.aws_references import (
    ADDON,
    ATTACHMENT,
    CLUSTER,
    GATEWAY,
    GROUP,
    NAT,
    NODES,
    RANGE,
    REFERENCES,
    ROLE,
    SUBNET,
    TEMPLATE,
    VPC,
)
from tests.engine.providers.aws_rules import why_not_deleted, why_not_made
from tests.engine.providers.aws_schema import VARIABLE, misfits, schema_of
from tests.engine.providers.outside import Row
from tests.engine.providers.values import UNKNOWN, Properties

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
LONG = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get" + "x" * 6144}]})
ROLE_ARN = "arn:aws:iam::111111111111:role/nodes"


def row(type_token: str, key: str, **inputs: object) -> Row:
    return Row(type_token, key, dict(inputs), {"arn": ROLE_ARN, **inputs})


NETWORK = [
    row(VPC, "vpc-1", cidrBlock="10.0.0.0/16"),
    row(RANGE, "assoc-1", vpcId="vpc-1", cidrBlock="100.64.0.0/16"),
    row(SUBNET, "subnet-1", vpcId="vpc-1", cidrBlock="100.64.0.0/18", availabilityZoneId="use2-az1"),
]
IN_USE = [
    *NETWORK,
    row(GATEWAY, "igw-1", vpcId="vpc-1"),
    row(NAT, "nat-1", subnetId="subnet-1", allocationId="eipalloc-1"),
    row(GROUP, "sg-1", vpcId="vpc-1"),
    row(GROUP, "sg-2", vpcId="vpc-1"),
    row(INGRESS, "sgr-1", securityGroupId="sg-1", referencedSecurityGroupId="sg-2"),
    row(TEMPLATE, "lt-1", vpcSecurityGroupIds=["sg-1"]),
    row(CLUSTER, "gpu", name="gpu"),
    row(NODES, "gpu:system", clusterName="gpu", subnetIds=["subnet-1"], launchTemplate={"id": "lt-1"}),
    row(ROLE, "nodes"),
    row(ATTACHMENT, "nodes/a", role="nodes", policyArn="arn:aws:iam::aws:policy/A"),
]


@pytest.mark.parametrize(
    ("key", "holder"),
    [
        ("vpc-1", "Subnet subnet-1"),
        ("subnet-1", "NatGateway nat-1"),
        ("igw-1", "mapped public address of nat-1"),
        ("assoc-1", "subnet-1"),
        ("sg-1", "nodes of gpu:system"),
        ("sg-2", "SecurityGroupIngressRule sgr-1"),
        ("gpu", "NodeGroup gpu:system"),
        ("nodes", "RolePolicyAttachment nodes/a"),
    ],
)
def test_what_is_in_use_does_not_go(key: str, holder: str) -> None:
    target = next(item for item in IN_USE if item.key == key)

    assert holder in why_not_deleted(target, IN_USE)
    assert why_not_deleted(target, [target]) == ""


def test_a_protected_cluster_does_not_go() -> None:
    cluster = row(CLUSTER, "gpu", name="gpu", deletionProtection=True)

    assert "has deletion protection enabled" in why_not_deleted(cluster, [cluster])


@pytest.mark.parametrize(
    ("type_token", "inputs", "refusal"),
    [
        (SUBNET, {"vpcId": "vpc-2", "cidrBlock": "10.0.0.0/24"}, "Vpc vpc-2 does not exist"),
        (SUBNET, {"vpcId": "vpc-1", "cidrBlock": "10.1.0.0/24"}, "InvalidSubnet.Range"),
        (SUBNET, {"vpcId": "vpc-1", "cidrBlock": "100.64.1.0/24"}, "InvalidSubnet.Conflict"),
        (NAT, {"subnetId": "subnet-1"}, "has no Internet gateway attached"),
        (ADDON, {"addonName": "coredns", "clusterName": "gpu"}, "Cluster gpu does not exist"),
    ],
)
def test_what_lacks_something_is_not_made(type_token: str, inputs: Properties, refusal: str) -> None:
    assert refusal in why_not_made(type_token, inputs, NETWORK)


def test_pods_of_an_addon_need_nodes_and_nodes_need_a_network_and_rights() -> None:
    rows = [*NETWORK, row(CLUSTER, "gpu", name="gpu"), row(ROLE, "nodes"), row(TEMPLATE, "lt-1")]
    group = {"clusterName": "gpu", "nodeRoleArn": ROLE_ARN, "subnetIds": ["subnet-1"], "launchTemplate": {"id": "lt-1"}}

    assert "DEGRADED" in why_not_made(ADDON, {"addonName": "coredns", "clusterName": "gpu"}, rows)
    assert "no CNI" in why_not_made(NODES, group, rows)
    for name in ("vpc-cni", "eks-pod-identity-agent"):
        rows.append(row(ADDON, name, addonName=name, clusterName="gpu"))
    assert "no route from subnet-1" in why_not_made(NODES, group, rows)
    rows.append(row("aws:ec2/routeTableAssociation:RouteTableAssociation", "rtbassoc-1", subnetId="subnet-1"))
    assert "nodes lacks" in why_not_made(NODES, group, rows)


@pytest.mark.parametrize(
    ("type_token", "inputs", "place"),
    [
        (VPC, {"cidrBlock": "10.0.0.0/8"}, "cidrBlock"),
        (SUBNET, {"cidrBlock": "10.0.0.1/24"}, "cidrBlock"),
        (SUBNET, {"availabilityZoneId": "us-east-2a"}, "availabilityZoneId"),
        (ROLE, {"assumeRolePolicy": "{"}, "assumeRolePolicy"),
        (ROLE, {"name": "r" * 65}, "name"),
        ("aws:iam/policy:Policy", {"policy": LONG}, "policy"),
        (INGRESS, {"description": "it's for Karpenter"}, "description"),
        ("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 31}, "retentionInDays"),
        (VPC, {"tags": {"aws:name": "mine"}}, "tags.aws:name"),
    ],
)
def test_values_of_a_wrong_form_are_refused(type_token: str, inputs: Properties, place: str) -> None:
    assert list(faults(type_token, inputs, KINDS[type_token].longest, KINDS[type_token].named)) == [place]


def test_a_value_that_is_not_known_yet_is_not_judged() -> None:
    assert faults(VPC, {"cidrBlock": UNKNOWN}, 0, "") == {}


def test_inputs_are_those_of_the_installed_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    schema_of.cache_clear()
    group = {"clusterName": "a", "nodeRoleArn": UNKNOWN, "scalingConfig": {"minSize": 1, "least": 2}}

    found = misfits(schema_of(NODES), group)

    schema_of.cache_clear()
    assert set(found) == {"subnetIds", "scalingConfig.desiredSize", "scalingConfig.maxSize", "scalingConfig.least"}


def test_the_tables_speak_of_the_same_types() -> None:
    used = {token for reference in REFERENCES for token in (reference.holder, reference.target)} | set(FORMATS)

    assert used - set(KINDS) == set()


def test_a_type_that_nobody_described_still_gets_an_identifier_and_its_inputs_back() -> None:
    place = Place("us-east-2", "111111111111")

    key, outputs = born("aws:backup/vault:Vault", {"kmsKeyArn": "k", "tags": {"a": "b"}}, place, dict)

    assert outputs["arn"] == f"arn:aws:backup:us-east-2:111111111111:vault/{key}"
    assert outputs["kmsKeyArn"] == "k"
    assert outputs["tagsAll"] == {"a": "b"}


def test_an_order_that_was_not_kept_and_a_group_that_is_empty_are_found() -> None:
    times = {"b": (1, 2), "a": (1.5, 3)}
    entries = [
        {"operation": "delete", "type": "t", "name": name, "event": event, "time": time}
        for name, (begun, done) in times.items()
        for event, time in (("begun", begun), ("done", done))
    ]

    assert violations(entries, "delete", Group("t", "a"), Group("t", "b")) == [
        "delete of t b began before that of t a was done"
    ]
    assert violations(entries, "delete", Group("t", "b"), Group("t", "a")) != []
    assert violations(entries, "delete", Group("t", "c")) == ["nothing matches t c"]
    assert violations(entries, "delete", Group("t", "?")) == []
