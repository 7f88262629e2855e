"""A role that the pods of one service account take through EKS Pod Identity."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws.eks import PodIdentityAssociation
from pulumi_aws.iam import Policy, Role, RolePolicyAttachment

from components.identity.documents import AwsPlace, pod_identity_trust


class PodIdentityRoleArgs(TypedDict):
    """Who takes the role and what it allows."""

    partition: str
    """AWS partition."""
    region: str
    """Region of the cluster."""
    account_id: str
    """Account of the cluster."""
    cluster_name: str
    """Name of the cluster, plain, so that the trust policy is readable in a plan."""
    namespace: pulumi.Input[str]
    """Namespace of the service account."""
    service_account: pulumi.Input[str]
    """Name of the service account."""
    role_name: NotRequired[str]
    """Name of the role, where others must know it before it is there. Default: the engine's choice."""
    policies: NotRequired[dict[str, str]]
    """Own policy documents as JSON text, by short name."""
    managed_policy_arns: NotRequired[dict[str, str]]
    """Policies that AWS manages, by short name."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on role, policies and association."""


class PodIdentityRole(pulumi.ComponentResource):
    """One role, its policies and the association with one service account."""

    role_arn: pulumi.Output[str]
    """ARN of the role."""

    def __init__(self, name: str, args: PodIdentityRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:PodIdentityRole", name, {}, opts)
        place = AwsPlace(args["partition"], args["region"], args["account_id"], args["cluster_name"])
        tags = args.get("tags", {})
        inside = pulumi.ResourceOptions(parent=self)
        role = Role(
            f"{name}-role",
            name=args.get("role_name"),
            assume_role_policy=pod_identity_trust(place),
            tags=tags,
            opts=inside,
        )
        attachments: list[pulumi.Resource] = []
        for short, text in args.get("policies", {}).items():
            policy = Policy(f"{name}-{short}", policy=text, tags=tags, opts=inside)
            attachments.append(
                RolePolicyAttachment(f"{name}-{short}-attachment", role=role.name, policy_arn=policy.arn, opts=inside)
            )
        for short, arn in args.get("managed_policy_arns", {}).items():
            attachments.append(
                RolePolicyAttachment(f"{name}-{short}-attachment", role=role.name, policy_arn=arn, opts=inside)
            )
        # Last, so that pods never hold the role without its rights; first to go, while they are still there.
        PodIdentityAssociation(
            f"{name}-association",
            cluster_name=args["cluster_name"],
            namespace=args["namespace"],
            service_account=args["service_account"],
            role_arn=role.arn,
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=attachments),
        )
        self.role_arn = role.arn
        self.register_outputs({"roleArn": self.role_arn})


def managed_role(
    name: str,
    trust: str,
    policy_arns: list[str],
    tags: dict[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> tuple[Role, list[pulumi.Resource]]:
    """A role with policies that AWS manages.

    Returns:
        The role, and the attachments that must be there before it is used and outlive its use.
    """
    role = Role(f"{name}-role", assume_role_policy=trust, tags=tags, opts=opts)
    attached: list[pulumi.Resource] = [
        RolePolicyAttachment(f"{name}-{arn.rpartition('/')[2]}", role=role.name, policy_arn=arn, opts=opts)
        for arn in policy_arns
    ]
    return role, attached
