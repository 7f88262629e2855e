"""VPC endpoints: what the stack reaches in AWS without a NAT gateway."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import ec2, vpc

# S3 holds image layers and weights: the gateway endpoint costs nothing and is not bound by a NAT gateway's bandwidth.
GATEWAY_SERVICES = ("s3",)

# What a cluster with private nodes calls, and why. Source: Amazon EKS user guide, private clusters; the services
# Karpenter, Pod Identity, Session Manager and the CSI drivers call.
INTERFACE_SERVICES = {
    "ec2": "nodes and Karpenter",
    "ecr.api": "image manifests",
    "ecr.dkr": "image pulls",
    "sts": "credentials",
    "logs": "container and flow logs",
    "elasticloadbalancing": "load balancer controller",
    "eks": "cluster discovery",
    "eks-auth": "Pod Identity",
    "ssm": "AMI look-ups of Karpenter and Session Manager",
    "ssmmessages": "Session Manager",
    "ec2messages": "Session Manager",
    "sqs": "interruption queue of Karpenter",
    "elasticfilesystem": "EFS CSI driver",
    "kms": "encryption with our key",
}


class VpcEndpointsArgs(TypedDict):
    """Where the endpoints are."""

    region: str
    """Region of the services."""
    cluster_name: str
    """Cluster; goes into names."""
    vpc_id: pulumi.Input[str]
    """VPC."""
    vpc_cidrs: list[str]
    """Ranges of the VPC, which may call the interface endpoints."""
    route_table_ids: list[pulumi.Input[str]]
    """Route tables that get the gateway endpoints."""
    subnet_ids: list[pulumi.Input[str]]
    """Subnets that hold the interface endpoints, one a zone."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on everything."""


class VpcEndpoints(pulumi.ComponentResource):
    """Gateway endpoints for S3 and interface endpoints for the APIs the stack calls."""

    def __init__(self, name: str, args: VpcEndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:VpcEndpoints", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)

        def tags(suffix: str) -> dict[str, pulumi.Input[str]]:
            return {**args.get("tags", {}), "Name": f"{args['cluster_name']}-{suffix}"}

        for service in GATEWAY_SERVICES:
            ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=args["vpc_id"],
                service_name=f"com.amazonaws.{args['region']}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=args["route_table_ids"],
                tags=tags(service),
                opts=inside,
            )
        group = ec2.SecurityGroup(
            f"{name}-security-group",
            vpc_id=args["vpc_id"],
            description="HTTPS from the VPC to AWS services",
            tags=tags("endpoints"),
            opts=inside,
        )
        for cidr in args["vpc_cidrs"]:
            vpc.SecurityGroupIngressRule(
                f"{name}-from-{cidr.replace('.', '-').replace('/', '-')}",
                security_group_id=group.id,
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                description="HTTPS from the VPC",
                opts=inside,
            )
        for service in INTERFACE_SERVICES:
            ec2.VpcEndpoint(
                f"{name}-{service.replace('.', '-')}",
                vpc_id=args["vpc_id"],
                service_name=f"com.amazonaws.{args['region']}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=args["subnet_ids"],
                security_group_ids=[group.id],
                tags=tags(service),
                opts=inside,
            )
        self.register_outputs({})
