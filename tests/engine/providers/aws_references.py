"""Which AWS resource refers to which: what must be there before one is made, and what keeps another from going.

Sources: DependencyViolation in the EC2 API's error codes, DeleteConflict in IAM's, ResourceInUse in EKS's; the rest is
that nothing can refer to what is not there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.engine.providers.outside import Row
from tests.engine.providers.values import Properties, at

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
TABLE = "aws:ec2/routeTable:RouteTable"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"
NAT = "aws:ec2/natGateway:NatGateway"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
CLUSTER = "aws:eks/cluster:Cluster"
NODES = "aws:eks/nodeGroup:NodeGroup"
ADDON = "aws:eks/addon:Addon"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
KEY = "aws:kms/key:Key"
QUEUE = "aws:sqs/queue:Queue"
EVENTS = "aws:cloudwatch/eventRule:EventRule"
LOGS = "aws:cloudwatch/logGroup:LogGroup"
EFS = "aws:efs/fileSystem:FileSystem"
TARGET = "aws:efs/mountTarget:MountTarget"
LUSTRE = "aws:fsx/lustreFileSystem:LustreFileSystem"
RANGE = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"
_RULES = tuple(f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule" for way in ("Ingress", "Egress"))


@dataclass(frozen=True, slots=True)
class Reference:
    """An input of one type that names a resource of another.

    Attributes:
        holder: type that refers.
        path: its input.
        target: type that is referred to.
        by: what of the target is named: `id`, or an output.
        holds: whether the target cannot go while the holder is there.
    """

    holder: str
    path: str
    target: str
    by: str = "id"
    holds: bool = True


REFERENCES: tuple[Reference, ...] = (
    Reference(SUBNET, "vpcId", VPC),
    Reference(GROUP, "vpcId", VPC),
    Reference(GATEWAY, "vpcId", VPC),
    Reference(TABLE, "vpcId", VPC),
    Reference(ENDPOINT, "vpcId", VPC),
    Reference(RANGE, "vpcId", VPC, holds=False),
    Reference("aws:ec2/flowLog:FlowLog", "vpcId", VPC, holds=False),
    Reference("aws:ec2/flowLog:FlowLog", "iamRoleArn", ROLE, "arn", holds=False),
    Reference("aws:ec2/flowLog:FlowLog", "logDestination", LOGS, "arn", holds=False),
    Reference(ENDPOINT, "subnetIds", SUBNET),
    Reference(ENDPOINT, "securityGroupIds", GROUP),
    Reference(ENDPOINT, "routeTableIds", TABLE, holds=False),
    Reference(NAT, "subnetId", SUBNET),
    Reference(NAT, "allocationId", "aws:ec2/eip:Eip"),
    Reference("aws:ec2/route:Route", "routeTableId", TABLE, holds=False),
    Reference("aws:ec2/route:Route", "gatewayId", GATEWAY, holds=False),
    Reference("aws:ec2/route:Route", "natGatewayId", NAT, holds=False),
    Reference("aws:ec2/routeTableAssociation:RouteTableAssociation", "routeTableId", TABLE),
    Reference("aws:ec2/routeTableAssociation:RouteTableAssociation", "subnetId", SUBNET, holds=False),
    *(Reference(rule, "securityGroupId", GROUP, holds=False) for rule in _RULES),
    *(Reference(rule, "referencedSecurityGroupId", GROUP) for rule in _RULES),
    Reference(TEMPLATE, "vpcSecurityGroupIds", GROUP, holds=False),
    Reference(TEMPLATE, "blockDeviceMappings.ebs.kmsKeyId", KEY, "arn", holds=False),
    Reference(CLUSTER, "vpcConfig.subnetIds", SUBNET),
    Reference(CLUSTER, "vpcConfig.securityGroupIds", GROUP),
    Reference(CLUSTER, "roleArn", ROLE, "arn", holds=False),
    Reference(CLUSTER, "encryptionConfig.provider.keyArn", KEY, "arn", holds=False),
    Reference(NODES, "clusterName", CLUSTER),
    Reference(NODES, "subnetIds", SUBNET),
    Reference(NODES, "nodeRoleArn", ROLE, "arn", holds=False),
    Reference(NODES, "launchTemplate.id", TEMPLATE, holds=False),
    Reference(ADDON, "clusterName", CLUSTER, holds=False),
    Reference(ADDON, "podIdentityAssociations.roleArn", ROLE, "arn", holds=False),
    Reference("aws:eks/accessEntry:AccessEntry", "clusterName", CLUSTER, holds=False),
    Reference("aws:eks/accessPolicyAssociation:AccessPolicyAssociation", "clusterName", CLUSTER, holds=False),
    Reference("aws:eks/podIdentityAssociation:PodIdentityAssociation", "clusterName", CLUSTER, holds=False),
    Reference("aws:eks/podIdentityAssociation:PodIdentityAssociation", "roleArn", ROLE, "arn", holds=False),
    Reference(ATTACHMENT, "role", ROLE),
    Reference(ATTACHMENT, "policyArn", POLICY, "arn"),
    Reference("aws:iam/rolePolicy:RolePolicy", "role", ROLE),
    Reference("aws:cloudwatch/eventTarget:EventTarget", "rule", EVENTS),
    Reference("aws:cloudwatch/eventTarget:EventTarget", "arn", QUEUE, "arn", holds=False),
    Reference("aws:sqs/queuePolicy:QueuePolicy", "queueUrl", QUEUE, holds=False),
    Reference("aws:kms/alias:Alias", "targetKeyId", KEY, holds=False),
    Reference("aws:ecr/lifecyclePolicy:LifecyclePolicy", "repository", "aws:ecr/repository:Repository", holds=False),
    Reference("aws:ecr/repository:Repository", "encryptionConfigurations.kmsKey", KEY, "arn", holds=False),
    Reference(LOGS, "kmsKeyId", KEY, "arn", holds=False),
    Reference(EFS, "kmsKeyId", KEY, "arn", holds=False),
    Reference(TARGET, "fileSystemId", EFS),
    Reference(TARGET, "subnetId", SUBNET),
    Reference(TARGET, "securityGroups", GROUP),
    Reference("aws:efs/accessPoint:AccessPoint", "fileSystemId", EFS, holds=False),
    Reference(LUSTRE, "subnetIds", SUBNET),
    Reference(LUSTRE, "securityGroupIds", GROUP),
    Reference("aws:fsx/dataRepositoryAssociation:DataRepositoryAssociation", "fileSystemId", LUSTRE, holds=False),
)


def missing(type_token: str, inputs: Properties, rows: Sequence[Row]) -> Iterator[str]:
    """What a new resource names that is not there. A policy that AWS manages always is."""
    for reference in REFERENCES:
        if reference.holder != type_token:
            continue
        there = {_handle(row, reference.by) for row in rows if row.type_token == reference.target}
        for value in at(inputs, reference.path):
            if value not in there and ":iam::aws:policy/" not in str(value):
                yield f"{reference.target.rpartition(':')[2]} {value}"


def holders(target: Row, rows: Sequence[Row]) -> Iterator[Row]:
    """What keeps a resource from going."""
    for reference in REFERENCES:
        if reference.target != target.type_token or not reference.holds:
            continue
        handle = _handle(target, reference.by)
        for row in rows:
            itself = reference.path == "referencedSecurityGroupId" and row.inputs.get("securityGroupId") == target.key
            if row.type_token == reference.holder and not itself and handle in at(row.inputs, reference.path):
                yield row


def _handle(row: Row, by: str) -> str:
    return row.key if by == "id" else str(row.outputs.get(by))
