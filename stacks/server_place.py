"""From the settings of a model to the place of its servers, how they are exchanged and who may reach them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.scheduling.v1 import PriorityClass

from components.serving.place_args import ClientsArgs, CompileCacheArgs, RolloutArgs, ServerPlaceArgs
from infra.planning.priorities import PRIORITIES, priority_class
from infra.settings import ModelSettings, NodePoolSettings, PlatformSettings
from infra.settings.pool_zones import zones_of_pools

if TYPE_CHECKING:
    from stacks.platform_layer import Cluster


def server_place(
    model: ModelSettings, pools: Sequence[NodePoolSettings], settings: PlatformSettings
) -> ServerPlaceArgs:
    """How far apart its servers stand, whom they yield to, and their compile cache.

    Args:
        pools: those that the model names.
    """
    place: ServerPlaceArgs = {"priority_class": priority_class(model.traffic, model.priority_class)}
    if model.spread.nodes != "preferred":
        place["nodes_apart"] = model.spread.nodes
    if model.spread.zones != "preferred":
        place["zones_apart"] = model.spread.zones
        if zones := zones_of_pools(pools, settings.network, settings.aws):
            place["zones"] = len(zones)
    cache = model.compile_cache
    if cache.kind != "node":
        place["compile_cache"] = {"kind": cache.kind}
    if cache.kind == "claim" and cache.storage_class:
        gpus = sorted({machine.gpu for pool in pools for machine in pool.candidates})
        claim: CompileCacheArgs = {
            "kind": cache.kind,
            "claim_name": f"{model.name}-compile-cache",
            "storage_class": cache.storage_class,
            "gib": cache.gib,
            "gpu": "+".join([*gpus, *([model.mig] if model.mig else [])]),
        }
        place["compile_cache"] = claim
    return place


def rollout_args(model: ModelSettings) -> RolloutArgs:
    """How a new version replaces the old one."""
    return {"strategy": model.rollout.strategy, "at_once": model.rollout.at_once}


def clients_args(model: ModelSettings) -> ClientsArgs:
    """Who may reach its servers, beside the gateway and the monitor."""
    clients: ClientsArgs = {}
    if model.clients.namespaces:
        clients["namespaces"] = list(model.clients.namespaces)
    if model.clients.same_namespace:
        clients["same_namespace"] = True
    return clients


def deploy_priorities(cluster: "Cluster") -> dict[str, pulumi.Resource]:
    """The platform's own PriorityClasses that models use, once for the cluster; any other must be there."""
    used = {priority_class(model.traffic, model.priority_class) for model in cluster.settings.models}
    # The API server refuses another value; pods keep the number they were made with.
    anew = pulumi.ResourceOptions(replace_on_changes=["value", "preemptionPolicy"], delete_before_replace=True)
    return {
        name: PriorityClass(
            f"{name}-priority-class",
            metadata={"name": name, "labels": {"app.kubernetes.io/part-of": "gpu-platform"}},
            value=item.value,
            global_default=False,
            preemption_policy="PreemptLowerPriority" if item.preempts else "Never",
            description=item.description,
            opts=pulumi.ResourceOptions.merge(cluster.options(), anew),
        )
        for name, item in PRIORITIES.items()
        if name in used
    }
