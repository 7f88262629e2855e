"""The KMS key that encrypts everything of one cluster: secrets, logs, volumes and images."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import kms

from components.identity.documents import AwsPlace, Statement, document


class PlatformKeyArgs(TypedDict):
    """Whose key it is."""

    partition: str
    """AWS partition."""
    region: str
    """Region."""
    account_id: str
    """Account."""
    cluster_name: str
    """Cluster it is for."""
    protect: bool
    """Whether a destroy is refused. Without the key nothing it encrypted can be read again."""
    retain: NotRequired[bool]
    """Whether a destroy leaves it, because something that it encrypts is left too. Default: False."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on the key."""


class PlatformKey(pulumi.ComponentResource):
    """A symmetric key with yearly rotation, and an alias for people."""

    key_arn: pulumi.Output[str]
    """ARN of the key."""

    def __init__(self, name: str, args: PlatformKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:PlatformKey", name, {}, opts)
        place = AwsPlace(args["partition"], args["region"], args["account_id"], args["cluster_name"])
        key = kms.Key(
            f"{name}-key",
            description=f"Everything of the cluster {args['cluster_name']}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            policy=key_policy(place),
            tags=args.get("tags", {}),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args["protect"], retain_on_delete=args.get("retain", False)
            ),
        )
        kms.Alias(
            f"{name}-alias",
            name=f"alias/gpu-platform/{args['cluster_name']}",
            target_key_id=key.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.key_arn = key.arn
        self.register_outputs({"keyArn": self.key_arn})


def key_policy(place: AwsPlace) -> str:
    """Who may use the key, as JSON text.

    A key policy's `Resource` is the key itself, written `*`. The account's own statement is what lets IAM policies
    grant anything on the key at all; without it nobody could manage or delete it (AWS KMS developer guide).
    """
    using = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"]
    data_keys = ["kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"]
    logs = place.arn("logs", "log-group:*")
    # Auto Scaling starts the system nodes, whose volumes this key encrypts, under its service-linked role.
    auto_scaling = place.arn(
        "iam", "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling", regional=False
    )
    return document(
        _grant("AccountManagesKey", {"AWS": place.arn("iam", "root", regional=False)}, ["kms:*"]),
        _grant(
            "LogsEncrypt",
            {"Service": f"logs.{place.region}.amazonaws.com"},
            [*using, *data_keys],
            {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
        ),
        # Volumes of Karpenter's nodes and of claims, for callers of this account that EC2 acts for: what AWS grants on
        # its own key for EBS.
        _grant(
            "Ec2UsesVolumesForThisAccount",
            {"AWS": "*"},
            [*using, *data_keys, "kms:CreateGrant"],
            {
                "StringEquals": {
                    "kms:CallerAccount": place.account,
                    "kms:ViaService": f"ec2.{place.region}.amazonaws.com",
                }
            },
        ),
        _grant("AutoScalingUsesVolumes", {"AWS": auto_scaling}, [*using, *data_keys]),
        _grant(
            "AutoScalingGrantsVolumes",
            {"AWS": auto_scaling},
            ["kms:CreateGrant"],
            {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
    )


def _grant(
    sid: str, principal: dict[str, str], actions: list[str], condition: dict[str, dict[str, str]] | None = None
) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"}
    return statement | ({"Condition": condition} if condition else {})
