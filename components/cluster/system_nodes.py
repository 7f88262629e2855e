"""The managed node group that holds what must run before Karpenter can: Karpenter itself, CoreDNS, controllers."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import ec2, eks, iam

from components.cluster.addons import SYSTEM_TAINT
from components.identity.documents import NODE_POLICIES, service_trust
from components.specs import Spec


class SystemNodesArgs(TypedDict):
    """Size and place of the group."""

    partition: str
    """AWS partition."""
    cluster_name: pulumi.Input[str]
    """Cluster."""
    kubernetes_version: str
    """Kubernetes minor version."""
    instance_types: list[str]
    """EC2 instance types without GPU."""
    count: int
    """Nodes, two or more: Karpenter's two replicas must stand in two zones."""
    subnet_ids: pulumi.Input[list[str]]
    """Node subnets, in two zones or more."""
    security_group_ids: list[pulumi.Input[str]]
    """Security groups of the nodes."""
    key_arn: pulumi.Input[str]
    """KMS key of the volumes."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on group, instances and volumes."""


class SystemNodes(pulumi.ComponentResource):
    """A small managed node group, tainted so that only what tolerates CriticalAddonsOnly runs there."""

    node_group: eks.NodeGroup
    """The node group; what needs nodes depends on it."""

    def __init__(
        self,
        name: str,
        args: SystemNodesArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        needs: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Create the group.

        Args:
            needs: what no node works without; role and launch template are made meanwhile.
        """
        super().__init__("gpu-platform:index:SystemNodes", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        tags = args.get("tags", {})
        role = iam.Role(f"{name}-role", assume_role_policy=service_trust("ec2.amazonaws.com"), tags=tags, opts=inside)
        rights = [
            iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=f"arn:{args['partition']}:iam::aws:policy/{policy}",
                opts=inside,
            )
            for policy in NODE_POLICIES
        ]
        template = ec2.LaunchTemplate(f"{name}-template", **_template(args), opts=inside)
        self.node_group = eks.NodeGroup(
            f"{name}-group",
            cluster_name=args["cluster_name"],
            version=args["kubernetes_version"],
            ami_type="AL2023_x86_64_STANDARD",
            capacity_type="ON_DEMAND",
            instance_types=args["instance_types"],
            node_role_arn=role.arn,
            subnet_ids=args["subnet_ids"],
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            scaling_config={"desired_size": args["count"], "min_size": args["count"], "max_size": args["count"] + 1},
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            labels={"gpu-platform/purpose": "system"},
            taints=[{"key": SYSTEM_TAINT, "value": "true", "effect": "NO_SCHEDULE"}],
            tags=tags,
            # Rights outlive the nodes: a node that lost them could not be drained or leave cleanly.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*rights, *needs]),
        )
        self.register_outputs({})


def _template(args: SystemNodesArgs) -> dict[str, Spec]:
    tags = args.get("tags", {})
    return {
        "vpc_security_group_ids": args["security_group_ids"],
        "update_default_version": True,
        "metadata_options": {
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
            "instance_metadata_tags": "disabled",
        },
        "block_device_mappings": [
            {
                "device_name": "/dev/xvda",
                "ebs": {
                    "volume_size": 50,
                    "volume_type": "gp3",
                    "encrypted": "true",
                    "kms_key_id": args["key_arn"],
                    "delete_on_termination": "true",
                },
            }
        ],
        "tag_specifications": [
            {"resource_type": kind, "tags": tags} for kind in ("instance", "volume", "network-interface")
        ],
        "tags": tags,
    }
