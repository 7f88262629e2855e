"""Order that AWS demands beyond references: what fails, or never becomes healthy, when something else is not there."""

import ipaddress
import json
from collections.abc import Iterator, Sequence

from tests.engine.providers.aws_references import (
    ADDON,
    ATTACHMENT,
    CLUSTER,
    GATEWAY,
    GROUP,
    NAT,
    NODES,
    RANGE,
    ROLE,
    SUBNET,
    TEMPLATE,
    VPC,
    holders,
    missing,
)
from tests.engine.providers.outside import Row
from tests.engine.providers.values import Properties, at

_AGENTS = ("vpc-cni", "eks-pod-identity-agent", "kube-proxy", "eks-node-monitoring-agent")  # DaemonSets need no node
_NODE_RIGHTS = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")


def why_not_made(type_token: str, inputs: Properties, rows: Sequence[Row]) -> str:
    """The service's refusal of a new resource; empty when it makes it."""
    if gone := list(missing(type_token, inputs, rows)):
        return f"NotFound: {', '.join(gone)} does not exist"
    rule = {SUBNET: _subnet, NAT: _nat, CLUSTER: _cluster, NODES: _nodes, ADDON: _addon}.get(type_token)
    return next(iter(rule(inputs, rows)), "") if rule else ""


def why_not_deleted(target: Row, rows: Sequence[Row]) -> str:
    """The service's refusal of a deletion; empty when it goes."""
    used = [f"{row.type_token.rpartition(':')[2]} {row.key}" for row in holders(target, rows)]
    used += _held(target, rows)
    if used:
        return f"DependencyViolation: {target.key} is in use by {', '.join(used)}"
    if target.type_token == CLUSTER and target.inputs.get("deletionProtection"):
        return (
            f"InvalidRequestException: cluster {target.key} has deletion protection enabled; disable it to delete the"
            " cluster"
        )
    return ""


def _subnet(inputs: Properties, rows: Sequence[Row]) -> Iterator[str]:
    mine = ipaddress.IPv4Network(inputs["cidrBlock"])
    ranges = [row.inputs["cidrBlock"] for row in rows if (row.type_token, row.key) == (VPC, inputs["vpcId"])]
    ranges += [row.inputs["cidrBlock"] for row in rows if _of(row, RANGE, inputs["vpcId"])]
    if not any(mine.subnet_of(ipaddress.IPv4Network(block)) for block in ranges):
        yield f"InvalidSubnet.Range: {mine} is not within the ranges of the VPC: {', '.join(ranges)}"
    for row in rows:
        if _of(row, SUBNET, inputs["vpcId"]) and mine.overlaps(ipaddress.IPv4Network(row.inputs["cidrBlock"])):
            yield f"InvalidSubnet.Conflict: {mine} conflicts with {row.key} ({row.inputs['cidrBlock']})"


def _nat(inputs: Properties, rows: Sequence[Row]) -> Iterator[str]:
    vpc = next(row.inputs["vpcId"] for row in rows if (row.type_token, row.key) == (SUBNET, inputs["subnetId"]))
    if not any(_of(row, GATEWAY, vpc) for row in rows):
        yield f"Gateway.NotAttached: Network {vpc} has no Internet gateway attached"


def _cluster(inputs: Properties, rows: Sequence[Row]) -> Iterator[str]:
    zones = {row.inputs["availabilityZoneId"] for row in _subnets(at(inputs, "vpcConfig.subnetIds"), rows)}
    if len(zones) < 2:
        yield "InvalidParameterException: subnets specified must be in at least two different AZs"
    role = _role(inputs["roleArn"], rows)
    if "eks.amazonaws.com" not in role.inputs["assumeRolePolicy"]:
        yield f"InvalidParameterException: Role {role.key} could not be assumed because it is not trusted by EKS"
    if "AmazonEKSClusterPolicy" not in _rights(role, rows):
        yield f"InvalidParameterException: the policy AmazonEKSClusterPolicy is missing on {role.key}"


def _nodes(inputs: Properties, rows: Sequence[Row]) -> Iterator[str]:
    installed = _addons(inputs["clusterName"], rows)
    routed = {row.inputs["subnetId"] for row in rows if row.type_token.endswith(":RouteTableAssociation")}
    role = _role(inputs["nodeRoleArn"], rows)
    if not {"vpc-cni", "eks-pod-identity-agent"} <= installed:
        yield "NodeCreationFailure: Unhealthy nodes in the kubernetes cluster: no CNI"
    if lost := [key for key in at(inputs, "subnetIds") if key not in routed]:
        yield f"NodeCreationFailure: Instances failed to join the kubernetes cluster: no route from {', '.join(lost)}"
    if lacking := [name for name in _NODE_RIGHTS if name not in _rights(role, rows)]:
        yield f"NodeCreationFailure: Instances failed to join the kubernetes cluster: {role.key} lacks {lacking}"


def _addon(inputs: Properties, rows: Sequence[Row]) -> Iterator[str]:
    name, cluster = inputs["addonName"], inputs["clusterName"]
    groups = [row for row in rows if row.type_token == NODES and row.inputs["clusterName"] == cluster]
    if name not in _AGENTS and not groups:
        yield f"unexpected state 'DEGRADED', wanted target 'ACTIVE': InsufficientNumberOfReplicas: {name} has no node"
    for identity in inputs.get("podIdentityAssociations") or ():
        role = _role(identity["roleArn"], rows)
        trust = json.loads(role.inputs["assumeRolePolicy"])
        principals = [item.get("Principal", {}).get("Service") for item in trust["Statement"]]
        if not any("pods.eks.amazonaws.com" in (principal or "") for principal in principals):
            yield f"InvalidParameterException: Trust policy of role {role.key} is invalid for Pod Identity"


def _held(target: Row, rows: Sequence[Row]) -> list[str]:
    """What holds it through more than one reference."""
    if target.type_token == GATEWAY:
        subnets = {row.key for row in rows if _of(row, SUBNET, target.inputs["vpcId"])}
        return [
            f"mapped public address of {row.key}"
            for row in rows
            if row.inputs.get("subnetId") in subnets and row.type_token == NAT
        ]
    if target.type_token == RANGE:
        mine = ipaddress.IPv4Network(target.inputs["cidrBlock"])
        inside = [row for row in rows if _of(row, SUBNET, target.inputs["vpcId"])]
        return [row.key for row in inside if ipaddress.IPv4Network(row.inputs["cidrBlock"]).subnet_of(mine)]
    if target.type_token == GROUP:
        templates = {
            row.key
            for row in rows
            if row.type_token == TEMPLATE and target.key in at(row.inputs, "vpcSecurityGroupIds")
        }
        groups = [row for row in rows if row.type_token == NODES]
        return [f"nodes of {row.key}" for row in groups if templates & set(at(row.inputs, "launchTemplate.id"))]
    return []


def _of(row: Row, type_token: str, vpc: str) -> bool:
    return row.type_token == type_token and row.inputs.get("vpcId") == vpc


def _subnets(keys: Sequence[str], rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.type_token == SUBNET and row.key in keys]


def _role(arn: str, rows: Sequence[Row]) -> Row:
    return next(row for row in rows if row.type_token == ROLE and row.outputs["arn"] == arn)


def _rights(role: Row, rows: Sequence[Row]) -> set[str]:
    attached = [
        row.inputs["policyArn"] for row in rows if row.type_token == ATTACHMENT and row.inputs["role"] == role.key
    ]
    return {arn.rpartition("/")[2] for arn in attached}


def _addons(cluster: str, rows: Sequence[Row]) -> set[str]:
    return {row.inputs["addonName"] for row in rows if row.type_token == ADDON and row.inputs["clusterName"] == cluster}
