"""What holds data in AWS: file systems and buckets. Of the foundation, because it changes and ends like a network does.

Data outlives clusters: file systems of weights and buckets stay when everything else is destroyed (ADR 0018).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.storage.data_bucket import DataBucket
from components.storage.lustre_file_system import LustreFileSystem
from components.storage.model_weights import ModelWeights
from infra.settings import PlatformSettings
from infra.settings.storage import BucketCheckpoints, EfsWeights, LustreCheckpoints, MountpointWeights, StreamerWeights
from stacks.storage_ids import STORAGE_OUTPUT, mount_name_key


@dataclass(frozen=True, slots=True)
class StorageNetwork:
    """What file systems need of the network.

    Attributes:
        subnet_ids: subnets of the nodes, by zone id.
    """

    vpc_id: pulumi.Input[str]
    subnet_ids: Mapping[str, pulumi.Input[str]]
    node_security_group_id: pulumi.Input[str]


@dataclass(frozen=True, slots=True)
class StorageFoundation:
    """What was made.

    Attributes:
        made: components.
        buckets: the buckets among them, by name.
        ids: ids of file systems by store, and what else mounting one needs.
    """

    made: tuple[pulumi.Resource, ...] = ()
    buckets: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    ids: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, pulumi.Input[Any]]:
        """Part of the contract; nothing where nothing has an id that only AWS knows."""
        return {STORAGE_OUTPUT: pulumi.Output.all(**self.ids)} if self.ids else {}


def deploy_storage(
    settings: PlatformSettings,
    network: StorageNetwork,
    key_arn: pulumi.Input[str],
    options: pulumi.ResourceOptions,
) -> StorageFoundation:
    """Create the file systems and buckets of the settings; nothing where they name no store."""
    buckets = _buckets(settings, key_arn, options)
    common = {
        "cluster_name": settings.cluster.name,
        "vpc_id": network.vpc_id,
        "node_security_group_id": network.node_security_group_id,
        "key_arn": key_arn,
        "protect": settings.cluster.deletion_protection,
        "tags": dict(settings.tags),
    }
    made: list[pulumi.Resource] = list(buckets.values())
    ids: dict[str, pulumi.Input[str]] = {}
    for store in settings.storage.weights:
        if isinstance(store, EfsWeights) and store.file_system_id is None:
            args: Any = {
                **common,
                "subnet_ids": {zone: network.subnet_ids[zone] for zone in store.zones or network.subnet_ids},
                "throughput_mode": store.throughput,
                "backup": store.backup,
            }
            weights = ModelWeights(store.name, args, options)
            made.append(weights)
            ids[store.name] = weights.file_system_id
    for checkpoints in settings.storage.checkpoints:
        if isinstance(checkpoints, LustreCheckpoints):
            bucket = buckets.get(checkpoints.bucket)
            args = {
                **common,
                "subnet_id": network.subnet_ids[checkpoints.zone],
                "capacity_gib": checkpoints.capacity_gib,
                "mbps_per_tib": checkpoints.mbps_per_tib,
                "bucket": bucket.bucket_name if bucket else checkpoints.bucket,
                "prefix": checkpoints.prefix,
            }
            lustre = LustreFileSystem(checkpoints.name, args, options)
            made.append(lustre)
            ids[checkpoints.name] = lustre.file_system_id
            ids[mount_name_key(checkpoints.name)] = lustre.mount_name
    return StorageFoundation(tuple(made), buckets, ids)


def _buckets(
    settings: PlatformSettings, key_arn: pulumi.Input[str], options: pulumi.ResourceOptions
) -> dict[str, DataBucket]:
    """The buckets that the platform makes, by name; one bucket may hold several stores."""
    stores = [*settings.storage.weights, *settings.storage.checkpoints]
    kinds = StreamerWeights | MountpointWeights | LustreCheckpoints | BucketCheckpoints
    names = sorted({store.bucket for store in stores if isinstance(store, kinds) and store.create})
    return {
        name: DataBucket(
            name,
            {
                "partition": settings.aws.partition if settings.aws else "aws",
                "bucket": name,
                "key_arn": key_arn,
                "protect": settings.cluster.deletion_protection,
                "tags": dict(settings.tags),
            },
            options,
        )
        for name in names
    }
