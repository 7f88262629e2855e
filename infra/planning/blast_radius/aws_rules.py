"""Rules of AWS resources beside EKS: which inputs replace one, which change it in place.

Source of "replaced": `ForceNew` and `RequiresReplace` in the schema of the resource in terraform-provider-aws 6, which
pulumi-aws 7 bridges; inputs that its update passes to the API change in place. Files of eks and ecr, the NAT gateway,
the VPC endpoint and security group rules were read on 2026-11-21; the other rows are of the same provider from its
documentation as known, and say so by `DOCUMENTED`.
"""

from infra.planning.blast_radius.rules import Effect, Rule, Table, appeared, at, removed

READ = "terraform-provider-aws 6, schema of the resource"
DOCUMENTED = "terraform-provider-aws 6, documentation of the resource"

_TAGS = ("tags",)


def _simple(
    source: str, replaces: str, in_place: str, why: str = "AWS cannot change this on a living one"
) -> tuple[Rule, ...]:
    """A resource of which some inputs replace it and some change in place."""
    rules = []
    if replaces:
        rules.append(Rule(at(*replaces.split()), Effect.REPLACE, why, source))
    return (*rules, Rule(at(*in_place.split(), *_TAGS), Effect.UPDATE, "AWS changes it on the living one", source))


_SOURCES = "cidrIpv4 cidrIpv6 prefixListId referencedSecurityGroupId"

_SECURITY_GROUP_RULE = (
    Rule(
        at(*_SOURCES.split()),
        Effect.REPLACE,
        "the kind of a rule's source cannot change; the old rule goes for a moment",
        READ,
        when=lambda change: removed(change) or appeared(change),
    ),
    *_simple(READ, "securityGroupId", f"{_SOURCES} ipProtocol fromPort toPort description"),
)

AWS_RULES: Table = {
    "aws:eks/accessEntry:AccessEntry": _simple(
        DOCUMENTED, "clusterName principalArn type", "kubernetesGroups userName"
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": _simple(
        READ, "clusterName namespace serviceAccount", "roleArn targetRoleArn disableSessionTags"
    ),
    "aws:ec2/vpc:Vpc": _simple(
        DOCUMENTED, "cidrBlock instanceTenancy ipv4IpamPoolId", "enableDnsHostnames enableDnsSupport"
    ),
    "aws:ec2/subnet:Subnet": _simple(
        DOCUMENTED, "vpcId availabilityZone availabilityZoneId cidrBlock ipv6Native outpostArn", "mapPublicIpOnLaunch"
    ),
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": _simple(DOCUMENTED, "vpcId cidrBlock", ""),
    "aws:ec2/internetGateway:InternetGateway": _simple(DOCUMENTED, "", "vpcId"),
    "aws:ec2/natGateway:NatGateway": _simple(
        READ,
        "allocationId connectivityType privateIp subnetId secondaryPrivateIpAddressCount",
        "secondaryAllocationIds secondaryPrivateIpAddresses",
        "private subnets have no way out until the new gateway stands",
    ),
    "aws:ec2/eip:Eip": _simple(
        DOCUMENTED, "domain address publicIpv4Pool networkBorderGroup", "instance networkInterface"
    ),
    "aws:ec2/routeTable:RouteTable": _simple(DOCUMENTED, "vpcId", "routes propagatingVgws"),
    "aws:ec2/placementGroup:PlacementGroup": _simple(DOCUMENTED, "name strategy partitionCount spreadLevel", ""),
    "aws:ec2/route:Route": _simple(
        DOCUMENTED,
        "routeTableId destinationCidrBlock destinationIpv6CidrBlock destinationPrefixListId",
        "gatewayId natGatewayId transitGatewayId networkInterfaceId vpcEndpointId",
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _simple(DOCUMENTED, "subnetId gatewayId", "routeTableId"),
    "aws:ec2/securityGroup:SecurityGroup": _simple(
        DOCUMENTED,
        "name namePrefix description vpcId",
        "ingress egress revokeRulesOnDelete",
        "AWS cannot change this; the old group can go only when no node uses it any more",
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _simple(DOCUMENTED, "vpcId", "ingress egress"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _SECURITY_GROUP_RULE,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _SECURITY_GROUP_RULE,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _simple(
        READ,
        "vpcId serviceName vpcEndpointType serviceRegion serviceNetworkArn resourceConfigurationArn",
        "subnetIds routeTableIds securityGroupIds policy privateDnsEnabled ipAddressType dnsOptions autoAccept",
        "calls to the service fail, or leave through NAT, until the new endpoint stands",
    ),
    "aws:ec2/flowLog:FlowLog": _simple(
        DOCUMENTED,
        "vpcId subnetId eniId trafficType logDestination logDestinationType logGroupName logFormat iamRoleArn"
        " maxAggregationInterval destinationOptions",
        "",
        "a flow log cannot be changed; connections go unrecorded for seconds",
    ),
    "aws:cloudwatch/eventRule:EventRule": _simple(
        DOCUMENTED, "name namePrefix eventBusName", "eventPattern scheduleExpression state description roleArn"
    ),
    "aws:cloudwatch/eventTarget:EventTarget": _simple(
        DOCUMENTED, "rule targetId eventBusName", "arn roleArn input inputPath inputTransformer"
    ),
    "aws:cloudwatch/logGroup:LogGroup": _simple(
        DOCUMENTED, "name namePrefix logGroupClass", "retentionInDays kmsKeyId skipDestroy", "the old log is deleted"
    ),
    "aws:iam/role:Role": _simple(
        DOCUMENTED,
        "name namePrefix path",
        "assumeRolePolicy description maxSessionDuration permissionsBoundary forceDetachPolicies",
    ),
    "aws:iam/policy:Policy": _simple(DOCUMENTED, "name namePrefix path description", "policy"),
    "aws:iam/rolePolicy:RolePolicy": _simple(DOCUMENTED, "name namePrefix role", "policy"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": _simple(DOCUMENTED, "role policyArn", ""),
    "aws:kms/key:Key": _simple(
        DOCUMENTED,
        "keyUsage customerMasterKeySpec multiRegion customKeyStoreId xksKeyId",
        "description policy enableKeyRotation rotationPeriodInDays deletionWindowInDays isEnabled"
        " bypassPolicyLockoutSafetyCheck",
    ),
    "aws:kms/alias:Alias": _simple(DOCUMENTED, "name namePrefix", "targetKeyId"),
    "aws:s3/bucket:Bucket": _simple(
        DOCUMENTED,
        "bucket bucketPrefix objectLockEnabled",
        "forceDestroy",
        "the bucket and the objects in it are deleted",
    ),
    "aws:s3/bucketPolicy:BucketPolicy": _simple(DOCUMENTED, "bucket", "policy"),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _simple(
        DOCUMENTED, "bucket", "blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets"
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _simple(
        DOCUMENTED, "bucket expectedBucketOwner", "rules"
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _simple(
        DOCUMENTED, "bucket expectedBucketOwner", "rules transitionDefaultMinimumObjectSize"
    ),
    "aws:sqs/queue:Queue": _simple(
        DOCUMENTED,
        "name namePrefix fifoQueue",
        "messageRetentionSeconds visibilityTimeoutSeconds sqsManagedSseEnabled kmsMasterKeyId delaySeconds"
        " maxMessageSize receiveWaitTimeSeconds policy redrivePolicy",
    ),
    "aws:sqs/queuePolicy:QueuePolicy": _simple(DOCUMENTED, "queueUrl", "policy"),
    "aws:ecr/repository:Repository": _simple(
        DOCUMENTED,
        "name encryptionConfigurations",
        "imageTagMutability imageScanningConfiguration forceDelete",
        "the repository and the images in it are deleted",
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": _simple(
        READ, "repository policy", "", "put anew under the same repository; images stay"
    ),
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": _simple(
        READ, "ecrRepositoryPrefix upstreamRegistryUrl upstreamRepositoryPrefix", "credentialArn customRoleArn"
    ),
    "aws:efs/fileSystem:FileSystem": _simple(
        DOCUMENTED,
        "availabilityZoneName creationToken encrypted kmsKeyId performanceMode",
        "throughputMode provisionedThroughputInMibps lifecyclePolicies protection",
        "the file system and what is in it are deleted",
    ),
    "pulumi:providers:aws": (
        Rule(
            at("region"),
            Effect.REPLACE,
            "everything of this provider is made anew in the other region",
            "pulumi-aws 7, provider configuration",
            "bring up a second environment in the other region",
        ),
        Rule(
            at("allowedAccountIds", "forbiddenAccountIds", "defaultTags", "maxRetries", "profile", "assumeRoles"),
            Effect.UPDATE,
            "only which calls the provider makes changes",
            "pulumi-aws 7, provider configuration",
        ),
    ),
}
