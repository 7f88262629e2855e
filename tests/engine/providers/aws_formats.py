"""What the AWS provider and its services refuse about single values, by type and input.

Sources, read 2026-11-21: API references and quotas of IAM (name lengths, 6144 characters of a managed policy, 2048 of a
trust policy), EC2 (CIDR sizes, descriptions of security groups), CloudWatch Logs (retention), SQS, ECR and EKS.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from typing import Any

from tests.engine.providers.values import Properties, at, has_unknown

Check = Callable[[Any], str]  # says what is wrong with a value; empty when nothing is

_RETENTION = {
    0,
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
}


def _text(pattern: str, meaning: str) -> Check:
    return lambda value: "" if re.fullmatch(pattern, str(value)) else f"{value!r} is no {meaning}"


def _cidr(shortest: int, longest: int) -> Check:
    def check(value: Any) -> str:
        try:
            network = ipaddress.IPv4Network(value)
        except ValueError as error:
            return f"{value!r} is no CIDR block: {error}"
        fits = shortest <= network.prefixlen <= longest
        return "" if fits else f"{value} must have a prefix between /{shortest} and /{longest}"

    return check


def _document(longest: int) -> Check:
    """An IAM document; characters are counted without white space, as IAM counts them."""

    def check(value: Any) -> str:
        try:
            document = json.loads(value)
        except ValueError as error:
            return f"contains an invalid JSON policy: {error}"
        statements = document.get("Statement")
        if document.get("Version") != "2012-10-17" or not isinstance(statements, list) or not statements:
            return "MalformedPolicyDocument: it needs Version 2012-10-17 and statements"
        if any(item.get("Effect") not in ("Allow", "Deny") or not item.get("Action") for item in statements):
            return "MalformedPolicyDocument: a statement needs Effect and Action"
        length = len(re.sub(r"\s", "", value))
        return "" if length <= longest else f"LimitExceeded: {length} characters, {longest} are allowed"

    return check


def _json(value: Any) -> str:
    try:
        json.loads(value)
    except ValueError as error:
        return f"is not valid JSON: {error}"
    return ""


def _one_of(*values: Any) -> Check:
    return lambda value: "" if value in values else f"expected one of {values}, got {value!r}"


def _between(least: int, most: int) -> Check:
    return lambda value: "" if least <= value <= most else f"expected {least} to {most}, got {value}"


_ROLE_ARN = _text(r"arn:aws[\w-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]+", "ARN of a role")
_KEY_ARN = _text(r"arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+", "ARN of a KMS key")
_POLICY_ARN = _text(r"arn:aws[\w-]*:iam::(aws|\d{12}):policy/[\w+=,.@/-]+", "ARN of a policy")
_NAME = _text(r"[\w+=,.@-]+", "name for IAM")
_GROUP_TEXT = _text(r"[0-9A-Za-z ._\-:/()#,@\[\]+=&;{}!$*]{1,255}", "description for a security group")
_INSTANCE = _text(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "instance type")
_RULE = {
    "description": _GROUP_TEXT,
    "fromPort": _between(-1, 65535),
    "toPort": _between(-1, 65535),
    "cidrIpv4": _cidr(0, 32),
    "ipProtocol": _one_of("-1", "tcp", "udp", "icmp"),
}

FORMATS: dict[str, dict[str, Check]] = {
    "aws:cloudwatch/eventRule:EventRule": {"eventPattern": _json},
    "aws:cloudwatch/logGroup:LogGroup": {
        "name": _text(r"[\w./#-]+", "name of a log group"),
        "retentionInDays": _one_of(*sorted(_RETENTION)),
        "kmsKeyId": _KEY_ARN,
    },
    "aws:ec2/eip:Eip": {"domain": _one_of("vpc")},
    "aws:ec2/flowLog:FlowLog": {"trafficType": _one_of("ACCEPT", "REJECT", "ALL"), "iamRoleArn": _ROLE_ARN},
    "aws:ec2/launchTemplate:LaunchTemplate": {
        "metadataOptions.httpTokens": _one_of("optional", "required"),
        "metadataOptions.httpPutResponseHopLimit": _between(1, 64),
        "blockDeviceMappings.ebs.volumeSize": _between(1, 65536),
        "blockDeviceMappings.ebs.kmsKeyId": _KEY_ARN,
        "blockDeviceMappings.ebs.encrypted": _one_of("true", "false"),
    },
    "aws:ec2/securityGroup:SecurityGroup": {"description": _GROUP_TEXT},
    "aws:ec2/subnet:Subnet": {
        "cidrBlock": _cidr(16, 28),
        "availabilityZoneId": _text(r"[a-z]{2,4}\d-az\d", "availability zone id"),
    },
    "aws:ec2/vpc:Vpc": {"cidrBlock": _cidr(16, 28)},
    "aws:ec2/vpcEndpoint:VpcEndpoint": {
        "serviceName": _text(r"com\.amazonaws\.[a-z0-9-]+\.[a-z0-9.-]+", "service name"),
        "vpcEndpointType": _one_of("Gateway", "Interface"),
    },
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": {"cidrBlock": _cidr(16, 28)},
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": {"policy": _json},
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": {
        "ecrRepositoryPrefix": _text(r"[a-z0-9]+((\.|_|__|-+|/)[a-z0-9]+)*", "repository prefix"),
        "upstreamRegistryUrl": _text(r"[a-z0-9.-]+", "registry host"),
    },
    "aws:ecr/repository:Repository": {
        "name": _text(r"[a-z0-9]+((\.|_|__|-+|/)[a-z0-9]+)*", "name of a repository"),
        "encryptionConfigurations.kmsKey": _KEY_ARN,
    },
    "aws:eks/accessEntry:AccessEntry": {
        "principalArn": _ROLE_ARN,
        "type": _one_of("STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "EC2"),
    },
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": {
        "policyArn": _text(r"arn:aws[\w-]*:eks::aws:cluster-access-policy/\w+", "EKS access policy"),
        "accessScope.type": _one_of("cluster", "namespace"),
    },
    "aws:eks/addon:Addon": {
        "addonVersion": _text(r"v\d+\.\d+\.\d+-eksbuild\.\d+", "version of an add-on"),
        "configurationValues": _json,
        "resolveConflictsOnCreate": _one_of("NONE", "OVERWRITE"),
        "resolveConflictsOnUpdate": _one_of("NONE", "OVERWRITE", "PRESERVE"),
        "podIdentityAssociations.roleArn": _ROLE_ARN,
    },
    "aws:eks/cluster:Cluster": {
        "name": _text(r"[0-9A-Za-z][\w-]*", "name of a cluster"),
        "version": _text(r"1\.\d\d", "Kubernetes version"),
        "accessConfig.authenticationMode": _one_of("API", "API_AND_CONFIG_MAP", "CONFIG_MAP"),
        "controlPlaneScalingConfig.tier": _one_of("standard", "tier-xl", "tier-2xl", "tier-4xl"),
        "kubernetesNetworkConfig.serviceIpv4Cidr": _cidr(12, 24),
        "encryptionConfig.provider.keyArn": _KEY_ARN,
        "roleArn": _ROLE_ARN,
    },
    "aws:eks/nodeGroup:NodeGroup": {
        "capacityType": _one_of("ON_DEMAND", "SPOT", "CAPACITY_BLOCK"),
        "instanceTypes": _INSTANCE,
        "nodeRoleArn": _ROLE_ARN,
        "taints.effect": _one_of("NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"),
    },
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": {"roleArn": _ROLE_ARN},
    "aws:iam/policy:Policy": {"name": _NAME, "policy": _document(6144)},
    "aws:iam/role:Role": {"name": _NAME, "assumeRolePolicy": _document(2048)},
    "aws:iam/rolePolicy:RolePolicy": {"policy": _document(10240)},
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": {"policyArn": _POLICY_ARN},
    "aws:kms/alias:Alias": {"name": _text(r"alias/(?!aws/)[\w/-]{1,250}", "alias")},
    "aws:kms/key:Key": {"policy": _document(32768), "deletionWindowInDays": _between(7, 30)},
    "aws:sqs/queue:Queue": {
        "name": _text(r"[\w-]+", "name of a queue"),
        "messageRetentionSeconds": _between(60, 1209600),
    },
    "aws:sqs/queuePolicy:QueuePolicy": {"policy": _document(262144)},
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _RULE,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _RULE,
}


def faults(type_token: str, inputs: Properties, longest: int, named: str) -> dict[str, str]:
    """What is wrong with the values that are known, by input."""
    found = {}
    for path, check in FORMATS.get(type_token, {}).items():
        for value in at(inputs, path):
            if not has_unknown(value) and (wrong := check(value)):
                found[path] = wrong
    name = inputs.get(named) or ""
    if longest and len(name) > longest:
        found[named] = f"expected length of {named} to be in the range (1 - {longest}), got {name}"
    for key, value in (inputs.get("tags") or {}).items():
        if not has_unknown(value) and (len(key) > 128 or len(value) > 256 or key.lower().startswith("aws:")):
            found[f"tags.{key}"] = "a tag has at most 128 and 256 characters, and aws: is reserved"
    return found
