"""What the AWS Load Balancer Controller may do in AWS, statement by statement.

Source: aws-load-balancer-controller v3.5.0, docs/install/iam_policy.json. It lets one controller touch every cluster's
load balancers in every region. Here every ARN is of this account and region, and where the original asks that the tag
`elbv2.k8s.aws/cluster` is there, its value must be this cluster's name. What stays as wide as upstream:

- Listeners and rules (`ManageListeners`, `ModifyListeners`, `TagListeners`) ask for no tag upstream: the controller
  also works on listeners that carry none, such as those made before it tagged them. They are bound to the account.
- Targets: a TargetGroupBinding may name a target group that somebody else made, which has no tag of ours.
- Rules of security groups that the controller did not make are bound to those of the nodes, which upstream does not.

Left out, because `load_balancer_values` turns the features off: WAF Classic (retired) and Shield Advanced (a
subscription of an account, not of a cluster). Global Accelerator and the requesting of certificates are feature gates
that are off by default, with policies of their own upstream.
"""

from components.identity.documents import AwsPlace, Statement, allow, document
from infra.conventions import DISCOVERY_TAG

_CLUSTER_TAG = "elbv2.k8s.aws/cluster"
_IN_REQUEST = f"aws:RequestTag/{_CLUSTER_TAG}"
_ON_RESOURCE = f"aws:ResourceTag/{_CLUSTER_TAG}"

_SERVICE = "elasticloadbalancing.amazonaws.com"

_EC2_READS = (
    *("AccountAttributes", "Addresses", "AvailabilityZones", "InternetGateways", "Vpcs", "VpcPeeringConnections"),
    *("Subnets", "SecurityGroups", "Instances", "NetworkInterfaces", "Tags", "CoipPools", "IpamPools", "RouteTables"),
)
_BALANCER_READS = (
    *("LoadBalancers", "LoadBalancerAttributes", "Listeners", "ListenerCertificates", "SSLPolicies", "Rules"),
    *("TargetGroups", "TargetGroupAttributes", "TargetHealth", "Tags", "TrustStores", "ListenerAttributes"),
    "CapacityReservation",
)


def load_balancer_policies(place: AwsPlace) -> dict[str, str]:
    """The controller's policy documents, as JSON text by short name; apart because of a managed policy's size limit.

    Args:
        place: account, region and cluster.
    """
    return {
        "reads": document(*_reads(place)),
        "security-groups": document(*_security_groups(place)),
        "load-balancers": document(*_load_balancers(place)),
    }


def _balancing(actions: str) -> list[str]:
    return [f"elasticloadbalancing:{action}" for action in actions.split()]


def _arns(place: AwsPlace, *resources: str) -> list[str]:
    return [place.arn("elasticloadbalancing", resource) for resource in resources]


def _requested(place: AwsPlace) -> dict[str, dict[str, str]]:
    """The request tags what it makes as this cluster's."""
    return {"StringEquals": {_IN_REQUEST: place.cluster}}


def _ours(place: AwsPlace) -> dict[str, dict[str, str]]:
    """The resource is tagged as this cluster's."""
    return {"StringEquals": {_ON_RESOURCE: place.cluster}}


def _ours_and_stays(place: AwsPlace) -> dict[str, dict[str, str]]:
    """The resource is this cluster's, and the request does not touch the tag that says so."""
    return _ours(place) | {"Null": {_IN_REQUEST: "true"}}


def _reads(place: AwsPlace) -> list[Statement]:
    here = {"StringEquals": {"aws:RequestedRegion": place.region}}
    return [
        allow(
            "CreateServiceLinkedRole",
            "iam:CreateServiceLinkedRole",
            place.arn("iam", f"role/aws-service-role/{_SERVICE}/*", regional=False),
            {"StringEquals": {"iam:AWSServiceName": _SERVICE}},
        ),
        # Describe calls name no single resource: "*" is all that IAM accepts.
        allow(
            "ReadNetworkAndLoadBalancers",
            [
                *(f"ec2:Describe{subject}" for subject in _EC2_READS),
                "ec2:GetCoipPoolUsage",
                "ec2:GetSecurityGroupsForVpc",
                *(f"elasticloadbalancing:Describe{subject}" for subject in _BALANCER_READS),
            ],
            "*",
            here,
        ),
        # Lists of certificates name none; IAM's is global and knows no region.
        allow("ListCertificates", "acm:ListCertificates", "*", here),
        allow("ListServerCertificates", "iam:ListServerCertificates", "*"),
        allow(
            "ReadCertificatesAndUserPools",
            ["acm:DescribeCertificate", "iam:GetServerCertificate", "cognito-idp:DescribeUserPoolClient"],
            [
                place.arn("acm", "certificate/*"),
                place.arn("iam", "server-certificate/*", regional=False),
                place.arn("cognito-idp", "userpool/*"),
            ],
        ),
        allow(
            "UseWebApplicationFirewall",
            [
                f"wafv2:{verb}"
                for verb in ("GetWebACL", "GetWebACLForResource", "AssociateWebACL", "DisassociateWebACL")
            ],
            [place.arn("wafv2", "regional/webacl/*/*"), *_arns(place, "loadbalancer/app/*/*")],
        ),
    ]


def _security_groups(place: AwsPlace) -> list[Statement]:
    groups = place.arn("ec2", "security-group/*")
    rules = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
    return [
        # The two ends of one call: a VPC has none of our tags, the group gets them.
        allow("CreateSecurityGroupInVpc", "ec2:CreateSecurityGroup", place.arn("ec2", "vpc/*")),
        allow("CreateTaggedSecurityGroup", "ec2:CreateSecurityGroup", groups, _requested(place)),
        allow(
            "TagNewSecurityGroup",
            "ec2:CreateTags",
            groups,
            {"StringEquals": {_IN_REQUEST: place.cluster, "ec2:CreateAction": "CreateSecurityGroup"}},
        ),
        allow("TagOwnSecurityGroup", ["ec2:CreateTags", "ec2:DeleteTags"], groups, _ours_and_stays(place)),
        allow("ManageOwnSecurityGroup", [*rules, "ec2:DeleteSecurityGroup"], groups, _ours(place)),
        # A load balancer reaches pods through the nodes' own group. Upstream lets it change any group. The nodes' group
        # bears the tag by which Karpenter finds it, or the one by which the controller chooses among several and EKS
        # marks its own; a group with neither must be opened by whoever made it.
        allow(
            "OpenNodeSecurityGroup",
            rules,
            groups,
            {"StringEquals": {f"aws:ResourceTag/{DISCOVERY_TAG}": place.cluster}},
        ),
        allow(
            "OpenClusterSecurityGroup",
            rules,
            groups,
            {"StringEquals": {f"aws:ResourceTag/kubernetes.io/cluster/{place.cluster}": ["owned", "shared"]}},
        ),
    ]


def _load_balancers(place: AwsPlace) -> list[Statement]:
    balancers = _arns(place, "loadbalancer/net/*/*", "loadbalancer/app/*/*")
    targets = _arns(place, "targetgroup/*/*")
    listeners = _arns(place, "listener/net/*/*/*", "listener/app/*/*/*")
    rules = _arns(place, "listener-rule/net/*/*/*", "listener-rule/app/*/*/*")
    created = {"elasticloadbalancing:CreateAction": ["CreateTargetGroup", "CreateLoadBalancer"]}
    return [
        allow(
            "CreateTaggedLoadBalancer",
            _balancing("CreateLoadBalancer CreateTargetGroup"),
            [*balancers, *targets],
            _requested(place),
        ),
        allow(
            "TagNewLoadBalancer",
            "elasticloadbalancing:AddTags",
            [*balancers, *targets],
            {"StringEquals": {_IN_REQUEST: place.cluster, **created}},
        ),
        allow("TagOwnLoadBalancer", _balancing("AddTags RemoveTags"), [*balancers, *targets], _ours_and_stays(place)),
        allow(
            "ManageOwnLoadBalancer",
            _balancing(
                "ModifyLoadBalancerAttributes SetIpAddressType SetSecurityGroups SetSubnets DeleteLoadBalancer "
                "ModifyTargetGroup ModifyTargetGroupAttributes DeleteTargetGroup ModifyListenerAttributes "
                "ModifyCapacityReservation ModifyIpPools"
            ),
            [*balancers, *targets, *listeners],
            _ours(place),
        ),
        allow(
            "ManageListeners",
            _balancing("CreateListener DeleteListener CreateRule DeleteRule"),
            [*balancers, *listeners, *rules],
        ),
        allow("TagListeners", _balancing("AddTags RemoveTags"), [*listeners, *rules]),
        allow(
            "ModifyListeners",
            _balancing(
                "SetWebAcl ModifyListener AddListenerCertificates RemoveListenerCertificates ModifyRule "
                "SetRulePriorities"
            ),
            [*balancers, *listeners, *rules],
        ),
        allow("RegisterTargets", _balancing("RegisterTargets DeregisterTargets"), targets),
    ]
