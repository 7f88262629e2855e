"""What Karpenter's controller may do in AWS, statement by statement.

Source: karpenter-provider-aws v1.14.1, the CloudFormation template of its documentation, which splits the rights into
policies by subject because of the size limit of a managed policy. Everything that changes something is bound to this
cluster by tags. Leaving out a read such as iam:ListInstanceProfiles makes the finalizer of EC2NodeClass hang for ever
(karpenter-provider-aws issue 9185).
"""

from components.identity.documents import EC2_PRINCIPALS, AwsPlace, Statement, allow, document

_NODEPOOL_TAG = "karpenter.sh/nodepool"
_NODECLASS_TAG = "karpenter.k8s.aws/ec2nodeclass"
_CLUSTER_NAME_TAG = "eks:eks-cluster-name"
_REGION_TAG = "topology.kubernetes.io/region"

_LAUNCHED = ("fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request")
_LAUNCH_ACTIONS = ("RunInstances", "CreateFleet", "CreateLaunchTemplate")


def controller_policies(place: AwsPlace, node_role_arn: str, queue_arn: str) -> dict[str, str]:
    """The controller's policy documents, as JSON text by short name.

    Args:
        place: account, region and cluster.
        node_role_arn: role that Karpenter passes to its instances.
        queue_arn: queue of interruption events.
    """
    return {
        "node-lifecycle": document(*_node_lifecycle(place)),
        "iam-integration": document(*_iam_integration(place, node_role_arn)),
        "eks-integration": document(allow("AllowAPIServerEndpointDiscovery", "eks:DescribeCluster", place.cluster_arn)),
        "interruption": document(
            allow(
                "AllowInterruptionQueueActions",
                ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"],
                queue_arn,
            )
        ),
        "zonal-shift": document(
            allow(
                "AllowZonalShiftStatusReadOnly",
                "arc-zonal-shift:GetManagedResource",
                "*",
                {"StringEquals": {"arc-zonal-shift:ResourceIdentifier": place.cluster_arn}},
            )
        ),
        "resource-discovery": document(*_resource_discovery(place)),
    }


def _owned(prefix: str, place: AwsPlace) -> dict[str, str]:
    """The tag that says the cluster owns it, on the resource or in the request."""
    return {f"aws:{prefix}Tag/kubernetes.io/cluster/{place.cluster}": "owned"}


def _node_lifecycle(place: AwsPlace) -> list[Statement]:
    # Any account, as in Karpenter's template: subnets of a shared VPC and shared reservations are another account's.
    launched = [place.arn("ec2", f"{kind}/*", account="*") for kind in _LAUNCHED]
    ours = {"StringEquals": _owned("Resource", place), "StringLike": {f"aws:ResourceTag/{_NODEPOOL_TAG}": "*"}}
    asked = {
        "StringEquals": {**_owned("Request", place), f"aws:RequestTag/{_CLUSTER_NAME_TAG}": place.cluster},
        "StringLike": {f"aws:RequestTag/{_NODEPOOL_TAG}": "*"},
    }
    instance = place.arn("ec2", "instance/*", account="*")
    template = place.arn("ec2", "launch-template/*", account="*")
    return [
        allow(
            "AllowScopedEC2InstanceAccessActions",
            ["ec2:RunInstances", "ec2:CreateFleet"],
            [
                # AWS owns public images and their snapshots: their ARNs hold no account.
                place.arn("ec2", "image/*", account=""),
                place.arn("ec2", "snapshot/*", account=""),
                *(
                    place.arn("ec2", f"{kind}/*", account="*")
                    for kind in ("security-group", "subnet", "capacity-reservation", "placement-group")
                ),
            ],
        ),
        allow(
            "AllowScopedEC2LaunchTemplateAccessActions",
            ["ec2:RunInstances", "ec2:CreateFleet"],
            template,
            ours,
        ),
        allow(
            "AllowScopedEC2InstanceActionsWithTags",
            [f"ec2:{action}" for action in _LAUNCH_ACTIONS],
            launched,
            asked,
        ),
        allow(
            "AllowScopedResourceCreationTagging",
            "ec2:CreateTags",
            launched,
            {
                "StringEquals": {**asked["StringEquals"], "ec2:CreateAction": list(_LAUNCH_ACTIONS)},
                "StringLike": asked["StringLike"],
            },
        ),
        allow(
            "AllowScopedResourceTagging",
            "ec2:CreateTags",
            instance,
            {
                **ours,
                "StringEqualsIfExists": {f"aws:RequestTag/{_CLUSTER_NAME_TAG}": place.cluster},
                "ForAllValues:StringEquals": {
                    "aws:TagKeys": [_CLUSTER_NAME_TAG, "karpenter.sh/nodeclaim", "Name"],
                },
            },
        ),
        allow(
            "AllowScopedDeletion",
            ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
            [instance, template],
            ours,
        ),
    ]


def _iam_integration(place: AwsPlace, node_role_arn: str) -> list[Statement]:
    profiles = place.arn("iam", "instance-profile/*", regional=False)
    on_resource = {
        "StringEquals": {**_owned("Resource", place), f"aws:ResourceTag/{_REGION_TAG}": place.region},
        "StringLike": {f"aws:ResourceTag/{_NODECLASS_TAG}": "*"},
    }
    in_request = {
        "StringEquals": {
            **_owned("Request", place),
            f"aws:RequestTag/{_CLUSTER_NAME_TAG}": place.cluster,
            f"aws:RequestTag/{_REGION_TAG}": place.region,
        },
        "StringLike": {f"aws:RequestTag/{_NODECLASS_TAG}": "*"},
    }
    return [
        allow(
            "AllowPassingInstanceRole",
            "iam:PassRole",
            node_role_arn,
            {"StringEquals": {"iam:PassedToService": list(EC2_PRINCIPALS)}},
        ),
        allow("AllowScopedInstanceProfileCreationActions", "iam:CreateInstanceProfile", profiles, in_request),
        allow(
            "AllowScopedInstanceProfileTagActions",
            "iam:TagInstanceProfile",
            profiles,
            {
                "StringEquals": {**on_resource["StringEquals"], **in_request["StringEquals"]},
                "StringLike": {**on_resource["StringLike"], **in_request["StringLike"]},
            },
        ),
        allow(
            "AllowScopedInstanceProfileActions",
            ["iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"],
            profiles,
            on_resource,
        ),
    ]


def _resource_discovery(place: AwsPlace) -> list[Statement]:
    described = (
        "CapacityReservations",
        "Images",
        "Instances",
        "InstanceStatus",
        "InstanceTypeOfferings",
        "InstanceTypes",
        "LaunchTemplates",
        "PlacementGroups",
        "SecurityGroups",
        "SpotPriceHistory",
        "Subnets",
    )
    # "*" is all that IAM accepts where a read names no single resource: EC2's Describe calls, the price list, and the
    # list of instance profiles.
    return [
        allow(
            "AllowRegionalReadActions",
            [f"ec2:Describe{subject}" for subject in described],
            "*",
            {"StringEquals": {"aws:RequestedRegion": place.region}},
        ),
        allow("AllowSSMReadActions", "ssm:GetParameter", place.arn("ssm", "parameter/aws/service/*", account="")),
        allow("AllowPricingReadActions", "pricing:GetProducts", "*"),
        allow("AllowUnscopedInstanceProfileListAction", "iam:ListInstanceProfiles", "*"),
        allow(
            "AllowInstanceProfileReadActions",
            "iam:GetInstanceProfile",
            place.arn("iam", "instance-profile/*", regional=False),
        ),
    ]
