"""What the layers above stand on, wherever it was made. Imports no AWS SDK."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.teardown import ReachArgs
from infra.errors import PlatformError
from infra.settings import PlatformSettings
from infra.settings.target import AwsSettings


@dataclass(frozen=True, slots=True)
class Foundation:
    """What the layers above need of the foundation, wherever it was made.

    Attributes:
        kubeconfig: of the cluster, as JSON; None where the caller's own kubeconfig is used.
        key_arn: KMS key; None where there is none of ours.
        vpc_id: None where it is not known.
        cluster: the control plane, where the same stack made it.
        storage_ids: ids of file systems by store, where the settings have any.
        buckets: buckets for data that the same stack made, by name.
        needs: what in the same stack must be there before anything runs in the cluster.
        made: everything of the layer that this stack made.
        outputs: the layer's part of the contract.
    """

    kubeconfig: pulumi.Input[str] | None = None
    key_arn: pulumi.Input[str] | None = None
    vpc_id: pulumi.Input[str] | None = None
    cluster: tuple[pulumi.Resource, ...] = ()
    storage_ids: pulumi.Input[Mapping[str, Any]] | None = None
    buckets: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    needs: tuple[pulumi.Resource, ...] = ()
    made: tuple[pulumi.Resource, ...] = ()
    outputs: Mapping[str, pulumi.Input[Any]] = field(default_factory=dict)


def aws_settings(settings: PlatformSettings) -> AwsSettings:
    """The account and region, which the settings' checks require outside local."""
    if settings.aws is None:
        raise PlatformError("the settings name no AWS account", "add the area aws")
    return settings.aws


def cluster_arn(settings: PlatformSettings) -> str:
    """ARN of the cluster, built from plain settings."""
    place = aws_settings(settings)
    return f"arn:{place.partition}:eks:{place.region}:{place.account_id}:cluster/{settings.cluster.name}"


def reach_of(settings: PlatformSettings, foundation: Foundation) -> ReachArgs:
    """How a delete hook reaches the cluster and its machines."""
    reach: ReachArgs = {"cluster_name": settings.cluster.name}
    if foundation.kubeconfig is not None:
        reach["kubeconfig"] = foundation.kubeconfig
    else:
        reach["context"] = settings.cluster.context or settings.cluster.name
    if settings.aws is not None:
        reach["region"] = settings.aws.region
        reach["account_id"] = settings.aws.account_id
    return reach
