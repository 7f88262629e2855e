"""A record of every connection in a VPC, encrypted with our key."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import cloudwatch, ec2, iam

from components.identity.documents import AwsPlace, allow, document, service_trust


class FlowLogsArgs(TypedDict):
    """What is recorded and for how long."""

    partition: str
    """AWS partition."""
    region: str
    """Region."""
    account_id: str
    """Account."""
    cluster_name: str
    """Cluster the VPC is for; goes into the log group's name."""
    vpc_id: pulumi.Input[str]
    """VPC to watch."""
    retention_days: int
    """Days that logs are kept."""
    key_arn: pulumi.Input[str]
    """KMS key of the log group."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on everything."""


class FlowLogs(pulumi.ComponentResource):
    """VPC flow logs in CloudWatch Logs, with the role that writes them."""

    def __init__(self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:FlowLogs", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        tags = args.get("tags", {})
        place = AwsPlace(args["partition"], args["region"], args["account_id"], args["cluster_name"])
        group_name = f"/aws/vpc/{args['cluster_name']}/flow-logs"
        group = cloudwatch.LogGroup(
            f"{name}-log-group",
            name=group_name,
            retention_in_days=args["retention_days"],
            kms_key_id=args["key_arn"],
            tags=tags,
            opts=inside,
        )
        role = iam.Role(
            f"{name}-role",
            assume_role_policy=service_trust("vpc-flow-logs.amazonaws.com"),
            tags=tags,
            opts=inside,
        )
        stream = place.arn("logs", f"log-group:{group_name}:*")
        writing = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        rights = iam.RolePolicy(
            f"{name}-rights", role=role.id, policy=document(allow("WriteFlowLogs", writing, stream)), opts=inside
        )
        ec2.FlowLog(
            f"{name}-flow-log",
            vpc_id=args["vpc_id"],
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rights]),
        )
        self.register_outputs({})
