"""The time a server may take to start, against the least that it takes."""

import math
from collections.abc import Iterator

from infra.catalog.engines import VLLM
from infra.catalog.startup import startup_figures
from infra.errors import Problem
from infra.planning.startup.weights import Load
from infra.settings.checks.draft import Draft
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.weight_loads import engine_seconds


def probe_waits_long_enough(draft: Draft) -> Iterator[Problem]:
    """A startup probe that gives up before the fastest start kills every server, and each begins again, for ever."""
    for index, model in draft.models:
        pools, storage = draft.pools_of(model), draft.storage
        if not model.known_checkpoint_gib or not pools or len(pools) < len(set(model.node_pools)) or storage is None:
            continue
        store = storage.weights_store(model.weights)
        if model.weights and store is None:
            continue  # an unknown store: said elsewhere
        in_image = store is None and model.model.startswith(("/", "."))
        load = _fastest(model, pools)
        weights = None if in_image else engine_seconds(store, load, storage, [item for _, item in draft.models])
        loading = math.ceil(weights.low) if weights else 0
        beginning = _initialisation(model)
        if model.startup_seconds < loading + beginning:
            yield Problem(
                f"models[{index}].startupSeconds",
                str(model.startup_seconds),
                f"at least {loading + beginning}: {loading} s for {model.known_checkpoint_gib} GiB of weights from"
                f" {store.kind if store else 'the image' if in_image else 'the Hub'} at best"
                + (f", and {beginning} s until the engine is ready" if beginning else ""),
                f"write {2 * (loading + beginning)} or more: a slow start is not a dead one",
            )


def _fastest(model: ModelSettings, pools: list[NodePoolSettings]) -> Load:
    """The best that may happen: the fastest machine of the pools, alone, with each node reading its own part."""
    machines = [machine for pool in pools for machine in pool.candidates]
    return Load(
        size_gib=(model.known_checkpoint_gib or 0.0) / model.nodes,
        network_gbps=max(machine.network_gbps or float("inf") for machine in machines),
        nvme=any(machine.nvme_gb for machine in machines),
    )


def _initialisation(model: ModelSettings) -> int:
    """Seconds from weights in GPU memory to ready, at least; 0 where it is not known or nothing is compiled."""
    is_warm = model.compile_cache.kind == "claim" or "--enforce-eager" in model.engine_options.extra_arguments
    return 0 if model.engine != VLLM.name or is_warm else math.ceil(startup_figures()["engine-init-least"].low)
