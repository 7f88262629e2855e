"""What AWS makes of each type: its identifier, its ARN, what it computes, and which inputs it cannot change in place.

Sources: the Terraform AWS provider's documentation of each resource (`Forces new resource`, import identifiers) and the
AWS service authorization reference (ARN formats), read 2026-11-21.
"""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.engine.providers.values import Properties


@dataclass(frozen=True, slots=True)
class Place:
    """Where a provider works. Every ARN is made from it."""

    region: str
    account: str
    partition: str = "aws"


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource type.

    Attributes:
        made: prefix of an identifier that AWS makes up; empty when the identifier comes from inputs.
        named: input that is its name; the provider makes one up where the program gives none.
        longest: characters a name may have.
        identifier: template of the identifier, from inputs and computed outputs.
        arn: `service:rest` template, or a whole ARN; an IAM ARN has no region. Empty when it has none.
        fixed: inputs whose change makes a new resource.
        computed: templates of further outputs.
    """

    made: str = ""
    named: str = ""
    longest: int = 0
    identifier: str = ""
    arn: str = ""
    fixed: tuple[str, ...] = ()
    computed: Mapping[str, str] = field(default_factory=dict)


_RULE = Kind(made="sgr", arn="ec2:security-group-rule/{id}", fixed=("securityGroupId",))

KINDS: dict[str, Kind] = {
    "aws:cloudwatch/eventRule:EventRule": Kind(
        named="name", longest=64, identifier="{name}", arn="events:rule/{name}", fixed=("name",)
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Kind(
        identifier="{rule}-{targetId}", fixed=("rule", "targetId"), computed={"targetId": "target-{random}"}
    ),
    "aws:cloudwatch/logGroup:LogGroup": Kind(
        named="name", longest=512, identifier="{name}", arn="logs:log-group:{name}", fixed=("name",)
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Kind(
        made="sg", arn="ec2:security-group/{id}", fixed=("vpcId",), computed={"name": "default"}
    ),
    "aws:ec2/eip:Eip": Kind(
        made="eipalloc", arn="ec2:elastic-ip/{id}", fixed=("domain",), computed={"allocationId": "{id}"}
    ),
    "aws:ec2/flowLog:FlowLog": Kind(
        made="fl", arn="ec2:vpc-flow-log/{id}", fixed=("vpcId", "logDestination", "trafficType", "iamRoleArn")
    ),
    "aws:ec2/internetGateway:InternetGateway": Kind(made="igw", arn="ec2:internet-gateway/{id}"),
    "aws:ec2/launchTemplate:LaunchTemplate": Kind(
        made="lt", named="name", longest=128, arn="ec2:launch-template/{id}", fixed=("name",)
    ),
    "aws:ec2/natGateway:NatGateway": Kind(
        made="nat", fixed=("subnetId", "allocationId", "connectivityType"), computed={"publicIp": "198.51.100.1"}
    ),
    "aws:ec2/route:Route": Kind(
        identifier="r-{routeTableId}-{destinationCidrBlock}",
        fixed=("routeTableId", "destinationCidrBlock"),
        computed={"state": "active"},
    ),
    "aws:ec2/routeTable:RouteTable": Kind(made="rtb", arn="ec2:route-table/{id}", fixed=("vpcId",)),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Kind(made="rtbassoc", fixed=("subnetId",)),
    "aws:ec2/securityGroup:SecurityGroup": Kind(
        made="sg",
        named="name",
        longest=255,
        arn="ec2:security-group/{id}",
        fixed=("name", "description", "vpcId"),
    ),
    "aws:ec2/subnet:Subnet": Kind(
        made="subnet",
        arn="ec2:subnet/{id}",
        fixed=("vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId"),
    ),
    "aws:ec2/vpc:Vpc": Kind(made="vpc", arn="ec2:vpc/{id}", fixed=("cidrBlock", "instanceTenancy")),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Kind(
        made="vpce", arn="ec2:vpc-endpoint/{id}", fixed=("vpcId", "serviceName", "vpcEndpointType")
    ),
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": Kind(
        made="vpc-cidr-assoc", fixed=("vpcId", "cidrBlock")
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Kind(identifier="{repository}", fixed=("repository",)),
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": Kind(
        identifier="{ecrRepositoryPrefix}", fixed=("ecrRepositoryPrefix", "upstreamRegistryUrl")
    ),
    "aws:ecr/repository:Repository": Kind(
        named="name",
        longest=256,
        identifier="{name}",
        arn="ecr:repository/{name}",
        fixed=("name", "encryptionConfigurations"),
        computed={"repositoryUrl": "{account}.dkr.ecr.{region}.amazonaws.com/{name}"},
    ),
    "aws:efs/accessPoint:AccessPoint": Kind(
        made="fsap", arn="elasticfilesystem:access-point/{id}", fixed=("fileSystemId", "posixUser", "rootDirectory")
    ),
    "aws:efs/backupPolicy:BackupPolicy": Kind(identifier="{fileSystemId}", fixed=("fileSystemId",)),
    "aws:efs/fileSystem:FileSystem": Kind(
        made="fs",
        arn="elasticfilesystem:file-system/{id}",
        fixed=("encrypted", "kmsKeyId", "performanceMode", "availabilityZoneName", "creationToken"),
        computed={"dnsName": "{id}.efs.{region}.amazonaws.com"},
    ),
    "aws:efs/fileSystemPolicy:FileSystemPolicy": Kind(identifier="{fileSystemId}", fixed=("fileSystemId",)),
    "aws:efs/mountTarget:MountTarget": Kind(made="fsmt", fixed=("fileSystemId", "subnetId")),
    "aws:fsx/dataRepositoryAssociation:DataRepositoryAssociation": Kind(
        made="dra", arn="fsx:association/{id}", fixed=("fileSystemId", "fileSystemPath", "dataRepositoryPath")
    ),
    "aws:fsx/lustreFileSystem:LustreFileSystem": Kind(
        made="fs",
        arn="fsx:file-system/{id}",
        fixed=("deploymentType", "storageType", "subnetIds", "securityGroupIds", "kmsKeyId"),
        computed={"dnsName": "{id}.fsx.{region}.amazonaws.com", "mountName": "fsx{random}"},
    ),
    "aws:s3/bucket:Bucket": Kind(
        named="bucket",
        longest=63,
        identifier="{bucket}",
        arn="arn:aws:s3:::{bucket}",
        fixed=("bucket", "objectLockEnabled"),
        computed={"bucketRegionalDomainName": "{bucket}.s3.{region}.amazonaws.com"},
    ),
    "aws:eks/accessEntry:AccessEntry": Kind(
        identifier="{clusterName}:{principalArn}", fixed=("clusterName", "principalArn", "type")
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Kind(
        identifier="{clusterName}#{principalArn}#{policyArn}",
        fixed=("clusterName", "principalArn", "policyArn", "accessScope"),
    ),
    "aws:eks/addon:Addon": Kind(
        identifier="{clusterName}:{addonName}",
        arn="eks:addon/{clusterName}/{addonName}/{random}",
        fixed=("clusterName", "addonName"),
    ),
    "aws:eks/cluster:Cluster": Kind(
        named="name",
        longest=100,
        identifier="{name}",
        arn="eks:cluster/{name}",
        fixed=("name", "roleArn", "bootstrapSelfManagedAddons", "encryptionConfig", "kubernetesNetworkConfig"),
        computed={"status": "ACTIVE", "platformVersion": "eks.5"},
    ),
    "aws:eks/nodeGroup:NodeGroup": Kind(
        named="nodeGroupName",
        longest=63,
        identifier="{clusterName}:{nodeGroupName}",
        arn="eks:nodegroup/{clusterName}/{nodeGroupName}/{random}",
        fixed=("clusterName", "nodeGroupName", "amiType", "capacityType", "instanceTypes", "nodeRoleArn", "subnetIds"),
        computed={"status": "ACTIVE"},
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Kind(
        made="a",
        arn="eks:podidentityassociation/{clusterName}/{id}",
        fixed=("clusterName", "namespace", "serviceAccount"),
        computed={"associationId": "{id}"},
    ),
    "aws:iam/policy:Policy": Kind(
        named="name", longest=128, identifier="{arn}", arn="iam:policy/{name}", fixed=("name", "path", "description")
    ),
    "aws:iam/role:Role": Kind(
        named="name",
        longest=64,
        identifier="{name}",
        arn="iam:role/{name}",
        fixed=("name", "path"),
        computed={"uniqueId": "AROA{random}"},
    ),
    "aws:iam/rolePolicy:RolePolicy": Kind(
        named="name", longest=128, identifier="{role}:{name}", fixed=("name", "role")
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Kind(
        identifier="{role}/{policyArn}", fixed=("role", "policyArn")
    ),
    "aws:kms/alias:Alias": Kind(identifier="{name}", arn="kms:{name}", fixed=("name",)),
    "aws:kms/key:Key": Kind(made="key", arn="kms:key/{id}", fixed=("multiRegion",), computed={"keyId": "{id}"}),
    "aws:sqs/queue:Queue": Kind(
        named="name",
        longest=80,
        identifier="https://sqs.{region}.amazonaws.com/{account}/{name}",
        arn="sqs:{name}",
        fixed=("name", "fifoQueue"),
        computed={"url": "{id}"},
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Kind(identifier="{queueUrl}", fixed=("queueUrl",)),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _RULE,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _RULE,
}

_ABOUT_A_BUCKET = Kind(identifier="{bucket}", fixed=("bucket",))


def kind_of(type_token: str) -> Kind:
    """What AWS makes of a type. One that nobody has described gets an identifier, an ARN, and its inputs back."""
    if type_token in KINDS:
        return KINDS[type_token]
    service, _, name = type_token.removeprefix("aws:").partition("/")
    short = name.partition(":")[0]
    if service == "s3" and short.startswith("bucket"):
        return _ABOUT_A_BUCKET
    return Kind(made=short.lower(), arn=f"{service}:{short.lower()}/{{id}}")


def born(
    type_token: str, inputs: Properties, place: Place, endpoint: Callable[[], Properties]
) -> tuple[str, Properties]:
    """Identifier and outputs of a new resource.

    Args:
        endpoint: asked for where a cluster's API server is.
    """
    kind = kind_of(type_token)
    known: dict[str, Any] = {"region": place.region, "account": place.account, "random": secrets.token_hex(8), **inputs}
    if kind.made:
        known["id"] = f"{kind.made}-{secrets.token_hex(9)[:17]}"
    outputs: Properties = dict(inputs)
    if kind.arn:
        known["arn"] = outputs["arn"] = _arn(kind.arn.format_map(known), place)
    if "targetId" in kind.computed:
        known.setdefault("targetId", kind.computed["targetId"].format_map(known))
    known.setdefault("id", kind.identifier.format_map(known))
    outputs |= {key: text.format_map(known) for key, text in kind.computed.items() if key not in outputs}
    outputs["tagsAll"] = inputs.get("tags", {})
    if type_token.endswith(":LaunchTemplate"):
        outputs["latestVersion"] = 1
    if type_token.endswith("eks/cluster:Cluster"):
        group = f"sg-{secrets.token_hex(9)[:17]}"
        outputs |= {"vpcConfig": {**inputs["vpcConfig"], "clusterSecurityGroupId": group}, **endpoint()}
    return str(known["id"]), outputs


def endpoint_of(kubeconfig: Properties) -> Properties:
    """Where the API server of a cluster is, from the kubeconfig of the embedded one."""
    cluster = kubeconfig["clusters"][0]["cluster"]
    authority = cluster["certificate-authority-data"]
    base64.b64decode(authority, validate=True)
    return {"endpoint": cluster["server"], "certificateAuthority": {"data": authority}}


def _arn(text: str, place: Place) -> str:
    if text.startswith("arn:"):
        return text
    service, _, rest = text.partition(":")
    region = "" if service == "iam" else place.region
    return f"arn:{place.partition}:{service}:{region}:{place.account}:{rest}"
