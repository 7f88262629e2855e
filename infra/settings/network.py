"""The VPC: one of our own, cut by `infra/planning/subnets.py`, or one that is there already."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from infra.settings.values import Cidr, LogRetentionDays, Settings, ZoneId, matching

SubnetId = Annotated[
    str, AfterValidator(matching(r"subnet-[0-9a-f]+", "a subnet id, such as subnet-0123456789abcdef0"))
]
VpcId = Annotated[str, AfterValidator(matching(r"vpc-[0-9a-f]+", "a VPC id, such as vpc-0123456789abcdef0"))]
SecurityGroupId = Annotated[
    str, AfterValidator(matching(r"sg-[0-9a-f]+", "a security group id, such as sg-0123456789ab"))
]


class ExistingNetwork(Settings):
    """A VPC that this project does not create and never changes."""

    vpc_id: VpcId
    """The VPC."""
    node_subnet_ids: tuple[SubnetId, ...] = Field(min_length=2)
    """Subnets for nodes, tagged karpenter.sh/discovery with the cluster's name, in two zones or more."""
    control_plane_subnet_ids: tuple[SubnetId, ...] = Field(min_length=2)
    """Subnets for the control plane's interfaces, in two zones or more."""
    node_security_group_id: SecurityGroupId
    """Security group of nodes, tagged karpenter.sh/discovery; must allow all traffic to and from itself for EFA."""


class NetworkSettings(Settings):
    """Addresses and zones of the VPC.

    Zones are ids (`use2-az1`), which mean the same place in every account; letters do not.
    """

    cidr: Cidr = "10.0.0.0/16"
    """Main IPv4 range of the VPC."""
    secondary_cidrs: tuple[Cidr, ...] = ()
    """Further ranges, usually carrier-grade NAT space (100.64.0.0/10); the first one holds the nodes."""
    zones: tuple[ZoneId, ...]
    """Availability zone ids, two or more. Add new ones at the end: the order decides the subnets' addresses."""
    nat_gateways: Literal["per-zone", "one"] = "per-zone"
    """per-zone: a zone's failure stays its own. one: cheaper, for what may be down."""
    flow_log_retention_days: LogRetentionDays = 365
    """Days that flow logs are kept (checkov CKV_AWS_338 asks for a year)."""
    existing: ExistingNetwork | None = None
    """Use this VPC; then cidr, secondaryCidrs and zones describe it and nothing is created."""
