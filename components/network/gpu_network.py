"""A VPC sized for GPU nodes and EFA: private nodes, closed defaults, flow logs and the endpoints the stack calls."""

from collections.abc import Iterable, Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import ec2, vpc

from components.network.flow_logs import FlowLogs
from components.network.security_rules import EFA_RULES
from components.network.vpc_endpoints import VpcEndpoints
from components.teardown import delete_hook
from infra.conventions import DISCOVERY_TAG, VPC_VARIABLE
from infra.planning.subnets import ZoneSubnets, subnet_plan

# Interfaces of deleted machines are free within minutes; EKS takes up to ten to give its own back (pulumi-eks 1226).
SWEEP_SECONDS = 900


class GpuNetworkArgs(TypedDict):
    """Addresses, zones and what the network is for."""

    partition: str
    """AWS partition."""
    region: str
    """Region."""
    account_id: str
    """Account."""
    cluster_name: str
    """Cluster whose nodes live here; goes into names and discovery tags."""
    cidr: str
    """Main IPv4 range."""
    secondary_cidrs: NotRequired[list[str]]
    """Further ranges; the first one holds the nodes."""
    zones: list[str]
    """Zone ids, two or more. Add new ones at the end: the order decides the addresses."""
    nat_gateway_per_zone: bool
    """One NAT gateway a zone (a zone's failure stays its own), or one for all."""
    log_retention_days: int
    """Days that flow logs are kept."""
    key_arn: pulumi.Input[str]
    """KMS key for flow logs."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on everything."""


class GpuNetwork(pulumi.ComponentResource):
    """A VPC with node, control-plane and public subnets in every zone."""

    vpc_id: pulumi.Output[str]
    """Id of the VPC."""
    node_subnet_ids: pulumi.Output[list[str]]
    """Private subnets for nodes, in the order of the zones."""
    control_plane_subnet_ids: pulumi.Output[list[str]]
    """Private subnets for the control plane's interfaces, in the order of the zones."""
    node_security_group_id: pulumi.Output[str]
    """Security group of every node, with the rules EFA needs."""

    def __init__(self, name: str, args: GpuNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:GpuNetwork", name, {}, opts)
        self._name, self._args = name, args
        self._inside = pulumi.ResourceOptions(parent=self)
        self._vpc = self._make_vpc()
        plan = subnet_plan(args["cidr"], args.get("secondary_cidrs", []), args["zones"])
        secondary = self._secondary_ranges()
        public = {zone.zone: self._subnet("public", zone.zone, zone.public) for zone in plan}
        nodes = {zone.zone: self._subnet("node", zone.zone, zone.node, secondary) for zone in plan}
        control = {zone.zone: self._subnet("control-plane", zone.zone, zone.control_plane) for zone in plan}
        tables, ways_out = self._routes(plan, public, nodes, control)
        self._watch_and_connect(tables, nodes)
        # For what AWS puts into a subnet by itself, which needs no route. Not an output: the program's own use.
        self.subnets = {zone: subnet.id for zone, subnet in nodes.items()}
        group, rules = self._node_security_group()
        sweep = self._sweep([*nodes.values(), *control.values(), group])

        self.vpc_id = self._vpc.id
        # Known only when the routes and rules are there: a node that starts before them, or outlives them, cannot reach
        # its cluster. And what has interfaces in the subnets is gone before the sweep.
        self.node_subnet_ids = _ids(nodes.values(), [*ways_out, *rules, sweep])
        self.control_plane_subnet_ids = _ids(control.values(), [sweep])
        self.node_security_group_id = group.id
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "nodeSubnetIds": self.node_subnet_ids,
                "controlPlaneSubnetIds": self.control_plane_subnet_ids,
                "nodeSecurityGroupId": self.node_security_group_id,
            }
        )

    def _tags(self, suffix: str, **more: str) -> dict[str, pulumi.Input[str]]:
        return {**self._args.get("tags", {}), "Name": f"{self._args['cluster_name']}-{suffix}", **more}

    def _make_vpc(self) -> ec2.Vpc:
        made = ec2.Vpc(
            f"{self._name}-vpc",
            cidr_block=self._args["cidr"],
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self._tags("vpc"),
            opts=self._inside,
        )
        # Taken over and emptied: nothing is reachable through a group that somebody forgot to choose.
        ec2.DefaultSecurityGroup(
            f"{self._name}-default-security-group",
            vpc_id=made.id,
            ingress=[],
            egress=[],
            tags=self._tags("default-closed"),
            opts=self._inside,
        )
        return made

    def _secondary_ranges(self) -> list[pulumi.Resource]:
        return [
            ec2.VpcIpv4CidrBlockAssociation(
                f"{self._name}-range-{cidr.replace('.', '-').replace('/', '-')}",
                vpc_id=self._vpc.id,
                cidr_block=cidr,
                opts=self._inside,
            )
            for cidr in self._args.get("secondary_cidrs", [])
        ]

    def _subnet(self, kind: str, zone: str, cidr: str, needs: list[pulumi.Resource] | None = None) -> ec2.Subnet:
        roles = {
            "public": {"kubernetes.io/role/elb": "1"},
            "node": {"kubernetes.io/role/internal-elb": "1", DISCOVERY_TAG: self._args["cluster_name"]},
            "control-plane": {},
        }
        return ec2.Subnet(
            f"{self._name}-{kind}-{zone}",
            vpc_id=self._vpc.id,
            availability_zone_id=zone,
            cidr_block=cidr,
            map_public_ip_on_launch=False,
            tags=self._tags(f"{kind}-{zone}", **roles[kind]),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs or []),
        )

    def _routes(
        self,
        plan: tuple[ZoneSubnets, ...],
        public: dict[str, ec2.Subnet],
        nodes: dict[str, ec2.Subnet],
        control: dict[str, ec2.Subnet],
    ) -> tuple[list[ec2.RouteTable], list[pulumi.CustomResource]]:
        """Private subnets go out through NAT, public ones through the internet gateway.

        Returns:
            The private route tables, and the routes and associations that nodes need.
        """
        gateway = ec2.InternetGateway(
            f"{self._name}-internet-gateway", vpc_id=self._vpc.id, tags=self._tags("igw"), opts=self._inside
        )
        outside, _ = self._table("public", gateway_id=gateway.id)
        for zone, subnet in public.items():
            self._associate(f"public-{zone}", subnet, outside)
        zones_with_nat = [zone.zone for zone in plan][: None if self._args["nat_gateway_per_zone"] else 1]
        nats = {zone: self._nat_gateway(zone, public[zone], gateway) for zone in zones_with_nat}
        private = {zone: self._table(f"private-{zone}", nat_gateway_id=nat.id) for zone, nat in nats.items()}
        ways_out: list[pulumi.CustomResource] = [route for _, route in private.values()]
        for zone, subnet in nodes.items():
            table, _ = private.get(zone) or private[zones_with_nat[0]]
            ways_out.append(self._associate(f"node-{zone}", subnet, table))
            self._associate(f"control-plane-{zone}", control[zone], table)
        return [table for table, _ in private.values()], ways_out

    def _nat_gateway(self, zone: str, subnet: ec2.Subnet, gateway: ec2.InternetGateway) -> ec2.NatGateway:
        address = ec2.Eip(
            f"{self._name}-nat-address-{zone}", domain="vpc", tags=self._tags(f"nat-{zone}"), opts=self._inside
        )
        return ec2.NatGateway(
            f"{self._name}-nat-{zone}",
            subnet_id=subnet.id,
            allocation_id=address.id,
            tags=self._tags(f"nat-{zone}"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway]),
        )

    def _table(
        self,
        kind: str,
        gateway_id: pulumi.Input[str] | None = None,
        nat_gateway_id: pulumi.Input[str] | None = None,
    ) -> tuple[ec2.RouteTable, ec2.Route]:
        table = ec2.RouteTable(
            f"{self._name}-{kind}-routes", vpc_id=self._vpc.id, tags=self._tags(kind), opts=self._inside
        )
        route = ec2.Route(
            f"{self._name}-{kind}-default-route",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway_id,
            nat_gateway_id=nat_gateway_id,
            opts=self._inside,
        )
        return table, route

    def _associate(self, kind: str, subnet: ec2.Subnet, table: ec2.RouteTable) -> ec2.RouteTableAssociation:
        return ec2.RouteTableAssociation(
            f"{self._name}-{kind}-association", subnet_id=subnet.id, route_table_id=table.id, opts=self._inside
        )

    def _watch_and_connect(self, tables: list[ec2.RouteTable], nodes: dict[str, ec2.Subnet]) -> None:
        args = self._args
        tags = args.get("tags", {})
        FlowLogs(
            f"{self._name}-flow-logs",
            {
                "partition": args["partition"],
                "region": args["region"],
                "account_id": args["account_id"],
                "cluster_name": args["cluster_name"],
                "vpc_id": self._vpc.id,
                "retention_days": args["log_retention_days"],
                "key_arn": args["key_arn"],
                "tags": tags,
            },
            self._inside,
        )
        VpcEndpoints(
            f"{self._name}-endpoints",
            {
                "region": args["region"],
                "cluster_name": args["cluster_name"],
                "vpc_id": self._vpc.id,
                "vpc_cidrs": [args["cidr"], *args.get("secondary_cidrs", [])],
                "route_table_ids": [table.id for table in tables],
                "subnet_ids": [subnet.id for subnet in nodes.values()],
                "tags": tags,
            },
            self._inside,
        )

    def _sweep(self, needs: list[pulumi.Resource]) -> pulumi.CustomResource:
        """What is left in the subnets goes after the cluster and before them."""
        args = self._args
        return delete_hook(
            f"{self._name}-sweep",
            ["sweep", f"--patience={SWEEP_SECONDS}"],
            {"cluster_name": args["cluster_name"], "region": args["region"], "account_id": args["account_id"]},
            SWEEP_SECONDS,
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
            environment={VPC_VARIABLE: self._vpc.id},
        )

    def _node_security_group(self) -> tuple[ec2.SecurityGroup, list[pulumi.CustomResource]]:
        """The group of the nodes and its rules."""
        group = self._group("nodes", "GPU and system nodes", **{DISCOVERY_TAG: self._args["cluster_name"]})
        rules: list[pulumi.CustomResource] = [
            (vpc.SecurityGroupIngressRule if rule.ingress else vpc.SecurityGroupEgressRule)(
                f"{self._name}-{rule.name}",
                security_group_id=group.id,
                referenced_security_group_id=group.id,
                ip_protocol="-1",
                description=rule.description,
                opts=self._inside,
            )
            for rule in EFA_RULES
        ]
        rules.append(
            vpc.SecurityGroupEgressRule(
                f"{self._name}-nodes-to-anywhere",
                security_group_id=group.id,
                cidr_ipv4="0.0.0.0/0",
                ip_protocol="-1",
                description="images, weights and AWS APIs",
                opts=self._inside,
            )
        )
        return group, rules

    def _group(self, kind: str, description: str, **tags: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            f"{self._name}-{kind}-security-group",
            vpc_id=self._vpc.id,
            description=description,
            # No rules here: with rules as resources of their own, neither fights the other.
            tags=self._tags(kind, **tags),
            opts=self._inside,
        )


def _ids(wanted: Iterable[pulumi.CustomResource], after: Sequence[pulumi.CustomResource]) -> pulumi.Output[list[str]]:
    """Ids of `wanted`, known only once `after` is there too."""
    first = list(wanted)
    return pulumi.Output.all(*(each.id for each in (*first, *after))).apply(lambda ids: list(ids[: len(first)]))
