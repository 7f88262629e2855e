"""What must outlive what in AWS, and between AWS and the cluster.

AWS refuses to delete what is in use (DependencyViolation), and lets what is needed be deleted: rights under a machine
that still drains, the route by which it would say so. Sources: ../shared/knowledge/aws.md 8.3 as read 2026-11-21;
pulumi-eks issues 194 and 1226; Amazon VPC user guide (NAT gateways need the internet gateway).
"""

import ipaddress
from collections.abc import Iterator

from infra.conventions import DISCOVERY_TAG
from infra.plan import PlannedResource
from infra.planning.destroy.inside import CONTROLLERS
from infra.planning.destroy.requirement import Found, Requirement, ordered

CLUSTER = "eks:index:Cluster"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
ADDON = "aws:eks/addon:Addon"
RULES = (
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
)
RIGHTS = ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "aws:iam/rolePolicy:RolePolicy")
# What names a role and does not act under it.
NO_ACTORS = (*RIGHTS, "aws:eks/accessEntry:AccessEntry")

# Holder, its input, and the type whose name stands there.
NAMES = (
    ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "role", "aws:iam/role:Role"),
    ("aws:iam/rolePolicy:RolePolicy", "role", "aws:iam/role:Role"),
    ("aws:ecr/lifecyclePolicy:LifecyclePolicy", "repository", "aws:ecr/repository:Repository"),
)

# Components with security groups of their own, in which no node stands.
_SERVICES = (":VpcEndpoints", ":ModelWeights", ":LustreFileSystem")

# Add-ons without which no node works (Amazon EKS user guide, networking, Pod Identity); the others are pods on nodes.
UNDER_NODES = frozenset({"vpc-cni", "eks-pod-identity-agent"})


def rules(found: Found) -> Iterator[Requirement]:
    """Every requirement beside the cluster."""
    yield from _what_is_said(found)
    yield from _named(found)
    yield from _cluster(found)
    yield from _rights(found)
    yield from _network(found)


def _what_is_said(found: Found) -> Iterator[Requirement]:
    """What the plan itself says: who reads whom, who is made by whom, what a component waits for."""
    for resource in found.all:
        for urn in found.read_by(resource):
            if found.is_there(urn):
                yield Requirement(resource.urn, urn, "it holds a value of it")
        package = resource.type_token.partition(":")[0]
        yield from ordered([resource], found.of(f"pulumi:providers:{package}"), "only its provider can delete it")
        for component in found.ancestors(resource):
            for urn in component.dependencies:
                if found.is_there(urn):
                    yield Requirement(resource.urn, urn, f"its component {component.name} waits for it")


def _named(found: Found) -> Iterator[Requirement]:
    """What names another by a name that the program chose, so that no value of it needs to be known."""
    for holder, key, bearer in NAMES:
        for item in found.of(holder):
            yield from ordered([item], found.named(bearer, "name", item.inputs.get(key)), "it is named in it")


def _cluster(found: Found) -> Iterator[Requirement]:
    addons, nodes = found.of(ADDON), found.of(NODE_GROUP)
    definitions = [release for controller in CONTROLLERS.values() for release in found.releases(controller.crd_chart)]
    releases = [item for item in found.of("kubernetes:helm.sh/v3:Release") if item not in definitions]  # CRDs: no pods
    inside = [*found.objects(), *releases]
    yield from ordered(inside, [*addons, *nodes], "what runs in the cluster needs its add-ons and system nodes to end")
    under = [addon for addon in addons if addon.inputs.get("addonName") in UNDER_NODES]
    yield from ordered(nodes, under, "no node works without it")
    yield from ordered([addon for addon in addons if addon not in under], nodes, "its pods run on these nodes")
    for cluster in found.of(CLUSTER):
        name = cluster.inputs.get("name")
        mine = [item for item in found.all if item.inputs.get("clusterName") == name]
        yield from ordered(mine, [cluster], "it is part of the cluster")
        logs = found.named("aws:cloudwatch/logGroup:LogGroup", "name", f"/aws/eks/{name}/cluster")
        yield from ordered([cluster], logs, "EKS makes a new one for its last words")


def _rights(found: Found) -> Iterator[Requirement]:
    """Who acts under a role goes before the rights of that role."""
    rights = found.of(*RIGHTS)
    for right in rights:
        roles = {urn for urn in found.read_by(right) if ":aws:iam/role:Role::" in urn.replace("$", ":")}
        users = [item for item in found.all if found.read_by(item) & roles and item.type_token not in NO_ACTORS]
        yield from ordered(users, [right], "it acts with these rights to the end")


def _network(found: Found) -> Iterator[Requirement]:
    gateways, nats = found.of("aws:ec2/internetGateway:InternetGateway"), found.of("aws:ec2/natGateway:NatGateway")
    yield from ordered(nats, gateways, "a NAT gateway's address is mapped through it")
    nodes = found.of(NODE_GROUP)
    groups_rules = [rule for rule in found.of(*RULES) if not _of_services(found, rule)]
    ways_out = [
        *found.named("aws:ec2/route:Route", "destinationCidrBlock", "0.0.0.0/0"),
        *_associations_of_nodes(found),
    ]
    ways_out = [way for way in ways_out if "gatewayId" not in way.inputs]
    yield from ordered(nodes, [*groups_rules, *ways_out], "nodes reach the control plane through it to the end")
    for association in found.of("aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"):
        subnets = [item for item in found.of("aws:ec2/subnet:Subnet") if _within(item, association)]
        yield from ordered(subnets, [association], "its addresses are of that range")
    subnets = [item for item in found.of("aws:ec2/subnet:Subnet") if not _is_public(item)]
    groups = [item for item in found.of("aws:ec2/securityGroup:SecurityGroup") if not _of_services(found, item)]
    sweeps = found.hooks("sweep")
    yield from ordered(sweeps, [*subnets, *groups], "interfaces that were left hold it")
    yield from ordered([*found.of(CLUSTER), *nodes], sweeps, "its interfaces are only left once it is gone")


def _associations_of_nodes(found: Found) -> list[PlannedResource]:
    """Associations of route tables with subnets in which Karpenter or the system nodes start machines."""
    node_subnets = {
        subnet.urn
        for subnet in found.of("aws:ec2/subnet:Subnet")
        if isinstance(tags := subnet.inputs.get("tags"), dict) and DISCOVERY_TAG in tags
    }
    associations = found.of("aws:ec2/routeTableAssociation:RouteTableAssociation")
    return [item for item in associations if found.read_by(item) & node_subnets]


def _of_services(found: Found, resource: PlannedResource) -> bool:
    """Whether it is about endpoints or file systems, whose interfaces the engine made itself and AWS takes away."""
    return any(component.type_token.endswith(_SERVICES) for component in found.ancestors(resource))


def _is_public(subnet: PlannedResource) -> bool:
    tags = subnet.inputs.get("tags")
    return isinstance(tags, dict) and "kubernetes.io/role/elb" in tags


def _within(subnet: PlannedResource, association: PlannedResource) -> bool:
    inner = ipaddress.IPv4Network(str(subnet.inputs["cidrBlock"]))
    return inner.subnet_of(ipaddress.IPv4Network(str(association.inputs["cidrBlock"])))
