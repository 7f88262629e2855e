"""Models on divided GPUs: one slice a server, of a profile its pools have, large enough for the weights."""

from collections.abc import Iterator

from infra.errors import Problem
from infra.settings.checks.draft import Draft
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.slices import mig_of, profiles_of
from infra.settings.values import did_you_mean


def _with_pools(draft: Draft) -> Iterator[tuple[int, ModelSettings, list[NodePoolSettings]]]:
    """Models of which every pool is known and valid, and of which each MIG pool has a layout that is known."""
    for index, model in draft.models:
        pools = draft.pools_of(model)
        cut = [pool for pool in pools if pool.partition and pool.partition.mig]
        known = all(mig_of(pool, draft.mig_layouts or ()) and _placed(pool, draft) for pool in cut)
        if pools and len(pools) == len(set(model.node_pools)) and known:
            yield index, model, pools


def _placed(pool: NodePoolSettings, draft: Draft) -> bool:
    """Whether the profiles of its layout are its GPU's; what is not is said elsewhere."""
    found = mig_of(pool, draft.mig_layouts or ())
    return bool(found) and set(found[1].devices) <= set(found[0].profiles) if found else False


def same_kind_of_share(draft: Draft) -> Iterator[Problem]:
    """A pod asks for one resource, so its pools must divide their GPUs alike."""
    for index, _, pools in _with_pools(draft):
        kinds = {pool.name: _kind(pool) for pool in pools}
        if len(set(kinds.values())) > 1:
            yield Problem(
                f"models[{index}].nodePools",
                ", ".join(f"{name} with {kind}" for name, kind in kinds.items()),
                "pools that divide their GPUs alike: a pod asks for one resource",
                "name pools of one kind, or make a model of each",
            )


def _kind(pool: NodePoolSettings) -> str:
    if pool.partition is None:
        return "whole GPUs"
    if pool.partition.dra:
        return "claims"
    if pool.partition.mig:
        return f"MIG, strategy {pool.partition.strategy}"
    return f"{pool.partition.sharing} by {pool.partition.replicas}"


def no_models_by_claim(draft: Draft) -> Iterator[Problem]:
    for index, _, pools in _with_pools(draft):
        by_claim = [pool.name for pool in pools if pool.partition and pool.partition.dra]
        if by_claim:
            yield Problem(
                f"models[{index}].nodePools",
                f'"{by_claim[0]}", a pool whose devices are claimed',
                "pools whose devices the device plugin reports; claims are for pods of your own",
                "name another pool",
            )


def one_slice_a_server(draft: Draft) -> Iterator[Problem]:
    """No parallelism of any kind over slices or shares: there is no path between them."""
    for index, model, pools in _with_pools(draft):
        divided = next((pool for pool in pools if pool.partition and not pool.partition.dra), None)
        if divided is None or model.gpus == 1 or model.nodes > 1:
            continue
        setting, number = next(
            (setting, number)
            for setting, number in (
                ("tensorParallel", model.tensor_parallel),
                ("pipelineParallel", model.pipeline_parallel),
                ("engineOptions.dataParallel", model.engine_options.data_parallel),
            )
            if number > 1
        )
        if divided.partition and divided.partition.sharing:
            why, mend = "a second share may be of the same GPU", "write 1, or name a pool with whole GPUs"
        else:
            slices = profiles_of(divided, draft.mig_layouts or ()).values()
            largest = max(slices, key=lambda profile: profile.memory_gib)
            why = "MIG slices cannot reach each other, neither by NVLink nor by NCCL"
            mend = f"write 1 with mig: {largest.name} ({largest.memory_gib} GiB), or name a pool with whole GPUs"
        yield Problem(
            f"models[{index}].{setting}",
            f"{number} on {divided.name}, {_kind(divided)}",
            f"1 where GPUs are divided: {why}",
            mend,
        )


def profile_in_layout(draft: Draft) -> Iterator[Problem]:
    """The profile a model asks for is one of its pools', and is given where there is a choice."""
    for index, model, pools in _with_pools(draft):
        cut = [pool for pool in pools if pool.partition and pool.partition.mig and not pool.partition.dra]
        if model.mig and not cut:
            yield Problem(
                f"models[{index}].mig",
                f'"{model.mig}"',
                f"mig only on pools that are cut; {', '.join(model.node_pools)} is not",
                "remove it, or name a pool with partition.mig",
            )
        for pool in cut:
            names = list(profiles_of(pool, draft.mig_layouts or ()))
            if model.mig and model.mig not in names:
                accepted = f"a profile of pool {pool.name}: {', '.join(names)}"
                yield Problem(
                    f"models[{index}].mig", f'"{model.mig}"', accepted, did_you_mean(model.mig, names, "name one")
                )
            elif not model.mig and len(names) > 1:
                yield Problem(
                    f"models[{index}].mig",
                    "nothing",
                    f"one of {', '.join(names)}, into which pool {pool.name} is cut",
                    f"write mig: {names[0]}",
                )


def weights_fit_slice(draft: Draft) -> Iterator[Problem]:
    for index, model, pools in _with_pools(draft):
        weights = model.known_checkpoint_gib
        for pool in pools:
            slices = profiles_of(pool, draft.mig_layouts or ())
            profile = slices.get(model.mig or next(iter(slices), ""))
            if not profile or not weights or model.gpus > 1:
                continue
            room = round(profile.memory_gib * model.gpu_memory_utilization, 2)
            if weights > room:
                larger = [item.name for item in slices.values() if item.memory_gib * 0.9 > weights]
                yield Problem(
                    f"models[{index}].mig",
                    f"{profile.name} for {weights} GiB of weights",
                    f"a slice with more than {weights} GiB for the engine; {profile.name} has {profile.memory_gib} GiB,"
                    f" of which gpuMemoryUtilization {model.gpu_memory_utilization} leaves {room}",
                    f"write mig: {larger[0]}" if larger else "name a pool with larger slices or whole GPUs",
                )


def shares_of_memory(draft: Draft) -> Iterator[Problem]:
    """vLLM takes its share of the whole GPU at once; servers that share one must leave room for each other."""
    for index, model, pools in _with_pools(draft):
        for pool in pools:
            replicas = pool.partition.replicas if pool.partition else 1
            if replicas * model.gpu_memory_utilization > 1 and replicas > 1:
                most = int(95 / replicas) / 100
                yield Problem(
                    f"models[{index}].gpuMemoryUtilization",
                    f"{model.gpu_memory_utilization} where {replicas} servers share one GPU of pool {pool.name}",
                    f"at most {most}: together they may not ask for more than the GPU's memory",
                    f"write gpuMemoryUtilization: {most}",
                )
