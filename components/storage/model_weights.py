"""The file system of model weights: EFS, encrypted, in every zone of the nodes, reached through access points only."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import ec2, efs, vpc

from components.storage.documents import file_system_policy

NFS_PORT = 2049


class ModelWeightsArgs(TypedDict):
    """Where the file system is reached from, and how it is kept."""

    cluster_name: str
    """Cluster whose nodes mount it; goes into tags."""
    vpc_id: pulumi.Input[str]
    """VPC of the nodes."""
    subnet_ids: dict[str, pulumi.Input[str]]
    """Subnets of the nodes that get a mount target, by zone id. A node in another zone reads across zones and pays."""
    node_security_group_id: pulumi.Input[str]
    """Security group of every node, the only one that may connect."""
    key_arn: pulumi.Input[str]
    """KMS key of the data."""
    throughput_mode: NotRequired[str]
    """elastic or bursting. Default: elastic, up to 1500 MiB/s a client (Amazon EFS user guide, quotas)."""
    backup: NotRequired[bool]
    """Whether AWS Backup keeps copies. Default: False; weights can be downloaded again."""
    protect: bool
    """Whether the engine refuses to delete it. It stays when the stack is destroyed in either case."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on everything."""


class ModelWeights(pulumi.ComponentResource):
    """An EFS file system with a mount target in every zone, a closed security group and a policy."""

    file_system_id: pulumi.Output[str]
    """Id of the file system, known once it can be mounted."""

    def __init__(self, name: str, args: ModelWeightsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:ModelWeights", name, {}, opts)
        self._name, self._args = name, args
        self._inside = pulumi.ResourceOptions(parent=self)
        self._tags = {**args.get("tags", {}), "Name": f"{args['cluster_name']}-{name}"}
        system = efs.FileSystem(
            f"{name}-file-system",
            encrypted=True,
            kms_key_id=args["key_arn"],
            performance_mode="generalPurpose",
            throughput_mode=args.get("throughput_mode", "elastic"),
            tags=self._tags,
            # Days of downloading: it outlives the cluster that filled it.
            opts=pulumi.ResourceOptions(parent=self, protect=args["protect"], retain_on_delete=True),
        )
        policy = efs.FileSystemPolicy(
            f"{name}-policy", file_system_id=system.id, policy=file_system_policy(), opts=self._inside
        )
        efs.BackupPolicy(
            f"{name}-backup",
            file_system_id=system.id,
            backup_policy={"status": "ENABLED" if args.get("backup", False) else "DISABLED"},
            opts=self._inside,
        )
        group, rule = self._security_group()
        targets = self._mount_targets(system, group)
        # What mounts it waits for the way to it, and goes first: an NFS client without its server hangs, and its node
        # with it.
        self.file_system_id = pulumi.Output.all(system.id, policy.id, rule.id, *(each.id for each in targets)).apply(
            lambda ids: str(ids[0])
        )
        self.register_outputs({"fileSystemId": self.file_system_id})

    def _security_group(self) -> tuple[ec2.SecurityGroup, vpc.SecurityGroupIngressRule]:
        group = ec2.SecurityGroup(
            f"{self._name}-security-group",
            vpc_id=self._args["vpc_id"],
            description="NFS from the nodes to the model weights",
            tags=self._tags,
            opts=self._inside,
        )
        rule = vpc.SecurityGroupIngressRule(
            f"{self._name}-from-nodes",
            security_group_id=group.id,
            referenced_security_group_id=self._args["node_security_group_id"],
            ip_protocol="tcp",
            from_port=NFS_PORT,
            to_port=NFS_PORT,
            description="NFS from the nodes",
            opts=self._inside,
        )
        return group, rule

    def _mount_targets(self, system: efs.FileSystem, group: ec2.SecurityGroup) -> list[efs.MountTarget]:
        return [
            efs.MountTarget(
                f"{self._name}-{zone}",
                file_system_id=system.id,
                subnet_id=subnet,
                security_groups=[group.id],
                opts=self._inside,
            )
            for zone, subnet in self._args["subnet_ids"].items()
        ]
