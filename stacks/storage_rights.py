"""Rights of pods to buckets, through EKS Pod Identity, each for one service account and one prefix."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pulumi

from infra.settings import ModelSettings
from infra.settings.storage import BucketCheckpoints, MountpointWeights, StreamerWeights
from stacks.foundation import aws_settings
from stacks.weights_of_models import users_of

if TYPE_CHECKING:
    from stacks.platform_layer import Cluster

# Under which the rights of the Mountpoint driver stand in the platform layer.
MOUNTPOINT_RIGHTS = "rights of the Mountpoint driver"

# The driver's service account in kube-system (aws-mountpoint-s3-csi-driver, EKS add-on).
_DRIVER_ACCOUNT = "s3-csi-driver-sa"


def streamer_rights_name(store: str, model: ModelSettings) -> str:
    """Under which a model's right to its weights stands in the platform layer."""
    return f"rights of {model.namespace}/{model.name} to {store}"


def streamer_rights(store: StreamerWeights, cluster: "Cluster") -> dict[str, pulumi.Resource]:
    """Each server reads the objects of its own model."""
    return {
        streamer_rights_name(store.name, model): _role(
            f"{store.name}-{model.namespace}-{model.name}",
            cluster,
            model.namespace,
            model.name,
            {"read": (store.bucket, f"{store.prefix}{model.name}/", False)},
        )
        for model in users_of(cluster.settings, store)
    }


def mountpoint_rights(stores: Sequence[MountpointWeights], cluster: "Cluster") -> dict[str, pulumi.Resource]:
    """The driver reads the prefixes that volumes mount."""
    wanted = {f"read-{store.name}": (store.bucket, store.prefix, False) for store in stores}
    return {MOUNTPOINT_RIGHTS: _role("mountpoint", cluster, "kube-system", _DRIVER_ACCOUNT, wanted)}


def checkpoint_rights(store: BucketCheckpoints, cluster: "Cluster") -> dict[str, pulumi.Resource]:
    """Jobs of one service account read and write their prefix."""
    wanted = {"write": (store.bucket, store.prefix, True)}
    return {store.name: _role(store.name, cluster, store.namespace, store.service_account, wanted)}


def _role(
    name: str, cluster: "Cluster", namespace: str, account: str, wanted: dict[str, tuple[str, str, bool]]
) -> pulumi.Resource:
    """A role with a policy for each (bucket, prefix, whether it is written)."""
    # Imported here, so that an environment without AWS does not pay for the AWS SDK.
    from components.identity import PodIdentityRole
    from components.identity.documents import AwsPlace
    from components.storage.documents import prefix_rights

    settings, place = cluster.settings, aws_settings(cluster.settings)
    where = AwsPlace(place.partition, place.region, place.account_id, settings.cluster.name)
    args: Any = {
        "partition": place.partition,
        "region": place.region,
        "account_id": place.account_id,
        "cluster_name": settings.cluster.name,
        "namespace": namespace,
        "service_account": account,
        "policies": {
            short: prefix_rights(where, bucket, prefix, write=write)
            for short, (bucket, prefix, write) in wanted.items()
        },
        "tags": dict(settings.tags),
    }
    return PodIdentityRole(f"{name}-rights", args, cluster.early)
