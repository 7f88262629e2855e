"""Servers over several nodes: their operator in the platform layer, the groups in the workloads layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pulumi

from infra.settings import ModelSettings, NodePoolSettings, PlatformSettings
from infra.versions import LWS, LWS_CHART, LWS_IMAGE_TAG
from stacks.engine_options import engine_options, serving_pod
from stacks.server_place import clients_args, rollout_args

if TYPE_CHECKING:  # imported where they are used: most environments have no server over several nodes
    from components.serving.multi_node.server import MultiNodeModelServerArgs
    from stacks.platform_layer import Cluster

OPERATOR = "lws"


def deploy_group_operator(cluster: "Cluster") -> list[pulumi.Resource]:
    """LeaderWorkerSet's operator, where a model needs it and it is not there."""
    settings = cluster.settings
    if not any(model.nodes > 1 for model in settings.models) or not settings.installs(OPERATOR):
        return []
    from components.serving.multi_node.controller import LeaderWorkerSetOperator, LeaderWorkerSetOperatorArgs

    args: LeaderWorkerSetOperatorArgs = {"chart": LWS_CHART, "version": LWS, "image_tag": LWS_IMAGE_TAG}
    return [LeaderWorkerSetOperator("lws", args, cluster.options())]


def deploy_group(model: ModelSettings, cluster: "Cluster", needed: Sequence[pulumi.Resource]) -> Any:
    """A model over several nodes.

    Args:
        needed: what must be there before it and until after it.
    """
    from components.serving.multi_node.server import MultiNodeModelServer

    options = pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=list(needed))
    return MultiNodeModelServer(model.name, multi_node_args(model, cluster.settings), options)


def multi_node_args(model: ModelSettings, settings: PlatformSettings) -> "MultiNodeModelServerArgs":
    """The component's arguments for one model of the settings."""
    pools = [pool for pool in settings.node_pools if pool.name in model.node_pools]
    able = [machine for pool in pools for machine in pool.candidates if machine.gpu_count >= model.gpus]
    args: MultiNodeModelServerArgs = {
        "namespace": model.namespace,
        "replicas": model.replicas,
        "engine": engine_options(model, settings),
        "pod": serving_pod(model, settings),
        # The settings see to it that all are alike where EFA is used.
        "fabric": {"transport": model.group.transport, "instance_type": able[0].name},
        "rollout": rollout_args(model),
        "clients": clients_args(model),
    }
    if len(_zones(pools, settings)) > 1:
        args["several_zones"] = True
    return args


def _zones(pools: Sequence[NodePoolSettings], settings: PlatformSettings) -> set[str]:
    """Zones that the pools stand in; on a laptop those of the network that is not there."""
    everywhere = settings.network.zones if settings.network else ()
    return {zone for pool in pools for zone in (pool.zones or everywhere or ("first", "second"))}
