"""A model's place beside its pools: compile caches that are of use, classes that may be named, callers let in."""

from collections.abc import Iterator

from infra.errors import Problem
from infra.planning.compile_cache import CACHE_VARIABLES
from infra.settings.checks.draft import Draft
from infra.settings.pool_zones import zones_of_pools


def compile_cache_is_of_use(draft: Draft) -> Iterator[Problem]:
    """A shared cache is for one GPU, of an engine that can be told where it is, in a Deployment of our own."""
    for index, model in draft.models:
        path, kind = f"models[{index}].compileCache", model.compile_cache.kind
        if kind == "node":
            continue
        if model.engine not in CACHE_VARIABLES:
            yield Problem(
                f"{path}.kind",
                f'"{kind}" with engine {model.engine}',
                f"node, or an engine of which it is known how: {', '.join(CACHE_VARIABLES)}",
                "remove compileCache",
            )
        gpus = sorted({machine.gpu for pool in draft.pools_of(model) for machine in pool.candidates})
        if kind == "claim" and len(gpus) > 1:
            yield Problem(
                path,
                f"a claim for servers on {' and '.join(gpus)}",
                "pools of one GPU: what is compiled for one is of no use to the other",
                "name pools of one GPU, or write kind: node",
            )
        if kind == "claim" and (model.nodes > 1 or model.kserve):
            yield Problem(
                path,
                "a claim for a model that " + ("KServe serves" if model.kserve else f"runs on {model.nodes} nodes"),
                "node: only servers of one node that are Deployments of the platform share a volume today",
                "remove compileCache",
            )


def zones_to_spread_over(draft: Draft) -> Iterator[Problem]:
    """A required spread needs zones in the plural, and the scheduler must be told how many. Groups: `multi_node`."""
    for index, model in draft.models:
        pools = draft.pools_of(model)
        if model.spread.zones != "required" or model.nodes > 1 or len(pools) < len(set(model.node_pools)):
            continue
        zones = sorted(zones_of_pools(pools, draft.network, draft.aws))
        if len(zones) < 2:
            where = f"in {zones[0]} alone" if zones else "in no zone that the settings name"
            yield Problem(
                f"models[{index}].spread.zones",
                f'"required" with {", ".join(model.node_pools)}, which can start nodes {where}',
                "pools with two zones or more: servers are held back until each zone has its part",
                "write zones for the pool, or spread: {zones: preferred}",
            )


def priority_class_is_not_the_systems(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        if model.priority_class and model.priority_class.startswith("system-"):
            yield Problem(
                f"models[{index}].priorityClass",
                f'"{model.priority_class}"',
                "a class that is not the system's: before those, even the node's own agents would have to go",
                "leave it out, or name a class of your own",
            )
