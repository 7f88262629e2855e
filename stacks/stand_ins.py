"""Made-up outputs for the stand-in mode: deterministic, of valid form, and plainly not real.

An identifier is the form AWS gives with a hash of the resource's name, so it is the same on every run.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

STAND_IN_ACCOUNT = "000000000000"
STAND_IN_REGION = "us-east-1"

# Identifiers that AWS makes: type -> prefix before 17 hexadecimal digits.
_PREFIXES = {
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/securityGroup:SecurityGroup": "sg",
    "aws:ec2/routeTable:RouteTable": "rtb",
    "aws:ec2/internetGateway:InternetGateway": "igw",
    "aws:ec2/natGateway:NatGateway": "nat",
    "aws:ec2/eip:Eip": "eipalloc",
    "aws:ec2/launchTemplate:LaunchTemplate": "lt",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce",
    "aws:ec2/flowLog:FlowLog": "fl",
    "aws:efs/fileSystem:FileSystem": "fs",
    "aws:efs/mountTarget:MountTarget": "fsmt",
    "aws:efs/accessPoint:AccessPoint": "fsap",
    "aws:fsx/lustreFileSystem:LustreFileSystem": "fs",
    "aws:fsx/dataRepositoryAssociation:DataRepositoryAssociation": "dra",
    "aws:ec2/placementGroup:PlacementGroup": "pg",
}


@dataclass(frozen=True, slots=True)
class StandIn:
    """What the cloud would answer.

    Attributes:
        identifier: the provider's id; empty for a component.
        outputs: beyond the inputs.
    """

    identifier: str
    outputs: Mapping[str, Any] = field(default_factory=dict)


def stand_in(type_token: str, name: str, inputs: Mapping[str, Any]) -> StandIn:
    """What the cloud would add to a resource.

    Args:
        type_token: Pulumi type.
        name: name in the program.
        inputs: what the program gave, decoded.
    """
    if type_token == "eks:index:Cluster":  # noqa: S105 - a Pulumi type
        return StandIn("", _cluster_outputs(name, inputs))
    if type_token.startswith("kubernetes:") and isinstance(inputs.get("metadata"), dict):
        metadata = inputs["metadata"]
        return StandIn("/".join(str(metadata[key]) for key in ("namespace", "name") if key in metadata))
    if type_token.startswith("aws:"):
        return _aws(type_token, name, inputs)
    return StandIn(f"{name}-id")


def _aws(type_token: str, name: str, inputs: Mapping[str, Any]) -> StandIn:
    service, _, kind = type_token.removeprefix("aws:").partition("/")
    called = str(inputs.get("name") or name)
    prefix = _PREFIXES.get(type_token)
    identifier = f"{prefix}-{_digest(name)}" if prefix else called
    region = "" if service == "iam" else STAND_IN_REGION  # IAM is global
    arn = f"arn:aws:{service}:{region}:{STAND_IN_ACCOUNT}:{kind.partition(':')[0]}/{identifier}"
    outputs: dict[str, Any] = {"arn": arn, "name": called, **_MORE.get(type_token, _nothing)(name)}
    return StandIn(identifier, outputs)


def _nothing(name: str) -> dict[str, Any]:
    del name
    return {}


def _queue(name: str) -> dict[str, Any]:
    return {"url": f"https://sqs.{STAND_IN_REGION}.amazonaws.com/{STAND_IN_ACCOUNT}/{name}"}


_MORE: dict[str, Callable[[str], dict[str, Any]]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": lambda _: {"latestVersion": 1},
    "aws:kms/key:Key": lambda name: {"keyId": _digest(name)},
    "aws:sqs/queue:Queue": _queue,
    "aws:fsx/lustreFileSystem:LustreFileSystem": lambda name: {"mountName": _digest(name)[:8]},
}


def _cluster_outputs(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs of `pulumi_eks.Cluster`: those that this project reads."""
    called = str(inputs.get("name") or name)
    server = f"https://{_digest(name).upper()}.gr7.{STAND_IN_REGION}.eks.amazonaws.com"
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": called, "cluster": {"server": server}}],
        "contexts": [{"name": called, "context": {"cluster": called, "user": called}}],
        "current-context": called,
        "users": [
            {
                "name": called,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "aws",
                        "args": ["eks", "get-token", "--cluster-name", called],
                    }
                },
            }
        ],
    }
    return {
        "kubeconfigJson": json.dumps(kubeconfig, sort_keys=True),
        "clusterSecurityGroupId": f"sg-{_digest(name)}",
    }


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:17]
