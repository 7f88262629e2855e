"""FSx for Lustre for training: fast, in one zone, linked with a bucket that keeps what is written."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import ec2, fsx, vpc

# Lustre's own ports; servers call clients back, so both directions need them.
# Source: Amazon FSx for Lustre user guide, file system access control with Amazon VPC.
LUSTRE_PORTS = {"lnet": (988, 988), "lnet-more": (1018, 1023)}

# What happened to a file on one side is done on the other.
_EVENTS = ["NEW", "CHANGED", "DELETED"]


class LustreFileSystemArgs(TypedDict):
    """Where it is, how large and how fast, and which bucket it is linked with."""

    cluster_name: str
    """Cluster whose nodes mount it; goes into tags."""
    vpc_id: pulumi.Input[str]
    """VPC of the nodes."""
    subnet_id: pulumi.Input[str]
    """Subnet of its only zone: that of the training nodes."""
    node_security_group_id: pulumi.Input[str]
    """Security group of every node."""
    capacity_gib: int
    """1200, or a multiple of 2400, in GiB."""
    mbps_per_tib: int
    """Throughput in MB/s for each TiB: 125, 250, 500 or 1000."""
    bucket: pulumi.Input[str]
    """Bucket that it is linked with."""
    prefix: NotRequired[str]
    """Prefix in the bucket. Default: none."""
    key_arn: pulumi.Input[str]
    """KMS key of the data."""
    protect: bool
    """Whether the engine refuses to delete it. Else it goes; the bucket keeps what was exported."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on everything."""


class LustreFileSystem(pulumi.ComponentResource):
    """A PERSISTENT_2 file system with LZ4 compression and a data repository association."""

    file_system_id: pulumi.Output[str]
    """Id of the file system, known once nodes may reach it."""
    mount_name: pulumi.Output[str]
    """Name that clients mount."""

    def __init__(self, name: str, args: LustreFileSystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:LustreFileSystem", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        tags = {**args.get("tags", {}), "Name": f"{args['cluster_name']}-{name}"}
        group = ec2.SecurityGroup(
            f"{name}-security-group",
            vpc_id=args["vpc_id"],
            description="Lustre between the nodes and the file system",
            tags=tags,
            opts=inside,
        )
        rules = self._rules(name, group, args["node_security_group_id"])
        system = fsx.LustreFileSystem(
            f"{name}-file-system",
            deployment_type="PERSISTENT_2",
            storage_type="SSD",
            storage_capacity=args["capacity_gib"],
            per_unit_storage_throughput=args["mbps_per_tib"],
            data_compression_type="LZ4",
            subnet_ids=args["subnet_id"],
            security_group_ids=[group.id],
            kms_key_id=args["key_arn"],
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args["protect"]),
        )
        link = fsx.DataRepositoryAssociation(
            f"{name}-repository",
            file_system_id=system.id,
            file_system_path="/",
            data_repository_path=pulumi.Output.concat("s3://", args["bucket"], "/", args.get("prefix", "")),
            batch_import_meta_data_on_create=True,
            delete_data_in_filesystem=False,
            s3={"auto_import_policy": {"events": _EVENTS}, "auto_export_policy": {"events": _EVENTS}},
            tags=tags,
            opts=inside,
        )
        # A client whose server goes hangs: what mounts it waits for the way to it and the link, and goes before them.
        self.file_system_id = pulumi.Output.all(system.id, link.id, *(rule.id for rule in rules)).apply(
            lambda ids: str(ids[0])
        )
        self.mount_name = system.mount_name
        self.register_outputs({"fileSystemId": self.file_system_id, "mountName": self.mount_name})

    def _rules(self, name: str, group: ec2.SecurityGroup, nodes: pulumi.Input[str]) -> list[pulumi.CustomResource]:
        ways = {"from-nodes": (group.id, nodes), "from-itself": (group.id, group.id), "to-nodes": (nodes, group.id)}
        return [
            vpc.SecurityGroupIngressRule(
                f"{name}-{way}-{ports}",
                security_group_id=into,
                referenced_security_group_id=outof,
                ip_protocol="tcp",
                from_port=first,
                to_port=last,
                description="Lustre",
                opts=pulumi.ResourceOptions(parent=self),
            )
            for way, (into, outof) in ways.items()
            for ports, (first, last) in LUSTRE_PORTS.items()
        ]
