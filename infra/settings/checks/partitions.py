"""Dividing GPUs: layouts that the GPU can be cut by, sharing only where nobody is served, an operator to do it."""

from collections.abc import Iterator

from infra.catalog.mig import MigGpu, gpus_with, mig_gpu_of, mig_gpus
from infra.errors import Problem
from infra.planning.mig import REPARTITION_SECONDS, layouts_of, nearest_devices, shown, why_impossible
from infra.settings.checks.draft import Draft
from infra.settings.node_pools import NodePoolSettings
from infra.settings.partitioning import layout_of
from infra.settings.values import did_you_mean, duration_seconds


def layouts_named_once(draft: Draft) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, layout in enumerate(draft.mig_layouts or ()):
        if layout.name in seen:
            yield Problem(
                f"migLayouts[{index}].name",
                f'"{layout.name}"',
                f"a name no other layout has; migLayouts[{seen[layout.name]}] has it",
                "rename one of them",
            )
        seen.setdefault(layout.name, index)


def layout_profiles_known(draft: Draft) -> Iterator[Problem]:
    known = sorted({name for gpu in mig_gpus().values() for name in gpu.profiles})
    for index, layout in enumerate(draft.mig_layouts or ()):
        for profile in layout.devices:
            if not gpus_with(profile):
                yield Problem(
                    f"migLayouts[{index}].devices",
                    f'"{profile}"',
                    f"MIG profiles of the catalogue ({len(known)} known), such as 1g.10gb or 3g.40gb",
                    did_you_mean(profile, known, "see infra/catalog/data/mig_profiles.csv"),
                )


def gpus_have_mig(draft: Draft) -> Iterator[Problem]:
    """A pool that is cut has one GPU, and that GPU has MIG."""
    for index, pool in draft.node_pools:
        if not (pool.partition and pool.partition.mig) or pool.mig_gpu:
            continue
        found = {machine.name: mig_gpu_of(machine) for machine in pool.candidates}
        without = sorted({machine.gpu_product for machine in pool.candidates if not found[machine.name]})
        if without:
            yield Problem(
                f"nodePools[{index}].partition.mig",
                f'"{pool.partition.mig}", and {", ".join(without)} has no MIG',
                f"MIG only on {', '.join(gpu.product for gpu in mig_gpus().values())}",
                "remove mig, or choose machines with one of these GPUs",
            )
        else:
            kinds = {name: gpu.product for name, gpu in found.items() if gpu}
            yield Problem(
                f"nodePools[{index}].partition.mig",
                ", ".join(f"{name} with {product}" for name, product in kinds.items()),
                "machines with one kind of GPU: a layout is made for one",
                "name instanceTypes of one kind, and make a pool of each",
            )


def layouts_fit(draft: Draft) -> Iterator[Problem]:
    """The layout a pool names is there, and its GPU can be cut by it."""
    for index, pool in draft.node_pools:
        partition, gpu = pool.partition, pool.mig_gpu
        if partition is None or not partition.mig or gpu is None or draft.mig_layouts is None:
            continue
        path = f"nodePools[{index}].partition.mig"
        layout = layout_of(partition, gpu, draft.mig_layouts)
        names = [*(item.name for item in draft.mig_layouts), *layouts_of(gpu)]
        if layout is None:
            elsewhere, mend = _of_another_gpu(partition.mig, gpu)
            accepted = f"a layout of {gpu.product}: {', '.join(names)}"
            mend = mend or did_you_mean(partition.mig, names, "name one")
            yield Problem(path, f'"{partition.mig}"{elsewhere}', accepted, mend)
        elif all(map(gpus_with, layout.devices)) and (why := why_impossible(gpu, layout.devices)):
            place = next(n for n, item in enumerate(draft.mig_layouts) if item.name == layout.name)
            nearest = ", ".join(f"{name}: {count}" for name, count in nearest_devices(gpu, layout.devices).items())
            yield Problem(
                path,
                f'"{layout.name}" with {shown(layout.devices)}',
                f"slices that fit on one {gpu.product}: {why}",
                f"the nearest layout that fits: write migLayouts[{place}].devices {{{nearest}}}",
            )


def _of_another_gpu(name: str, gpu: MigGpu) -> tuple[str, str]:
    """Whose layout it is, and what to write instead; both empty when it is nobody's."""
    others = [other for other in mig_gpus().values() if name in layouts_of(other)]
    if not others:
        return "", ""
    devices = nearest_devices(gpu, layouts_of(others[0])[name].devices)
    alike = [item.name for item in layouts_of(gpu).values() if item.devices == devices]
    products = ", ".join(other.product for other in others)
    return f", a layout of {products}", f"write {alike[0]}, its counterpart" if alike else "name one"


def single_is_uniform(draft: Draft) -> Iterator[Problem]:
    for index, pool in draft.node_pools:
        partition, gpu = pool.partition, pool.mig_gpu
        if partition is None or gpu is None or partition.strategy != "single":
            continue
        layout = layout_of(partition, gpu, draft.mig_layouts or ())
        if layout and not layout.is_uniform:
            yield Problem(
                f"nodePools[{index}].partition.strategy",
                f'"single" for {shown(layout.devices)}',
                "mixed: under single all slices are nvidia.com/gpu, so that the plugin refuses those that differ",
                "write mixed, or a layout of one profile",
            )


def no_sharing_in_production(draft: Draft) -> Iterator[Problem]:
    """Shared GPUs have neither memory nor faults to themselves."""
    for index, pool in draft.node_pools:
        if draft.stage == "production" and pool.partition and pool.partition.sharing:
            way, replicas = pool.partition.sharing, pool.partition.replicas
            yield Problem(
                f"nodePools[{index}].partition.{way}",
                f"{replicas} pods on one GPU in production",
                "MIG or whole GPUs in production: pods that share a GPU can take each other's memory and fail together",
                f"use mig ({_seven(pool)}), or remove partition",
            )


def _seven(pool: NodePoolSettings) -> str:
    gpu = pool.mig_gpu
    return f"such as {next(iter(layouts_of(gpu)))}" if gpu else "on a GPU that has it, such as h100"


def operator_installed(draft: Draft) -> Iterator[Problem]:
    """Somebody cuts and shares: the operator, except in the embedded environment, which plays its part."""
    if draft.gpu_operator is None or draft.gpu_operator.enabled or draft.target in {None, "local"}:
        return
    for index, pool in draft.node_pools:
        if pool.partition:
            yield Problem(
                f"nodePools[{index}].partition",
                "a partition, and gpuOperator.enabled is false",
                "gpuOperator.enabled true: nothing else divides a GPU",
                "write gpuOperator: {enabled: true}",
            )


def consolidation_waits(draft: Draft) -> Iterator[Problem]:
    """A node that reboots to be cut is empty; it must not be taken for one that is not needed."""
    for index, pool in draft.node_pools:
        after = pool.disruption.consolidate_after
        if not (pool.partition and pool.partition.mig) or pool.static_nodes or after == "Never":
            continue
        if duration_seconds(after) <= REPARTITION_SECONDS:
            yield Problem(
                f"nodePools[{index}].disruption.consolidateAfter",
                f'"{after}"',
                f"longer than {REPARTITION_SECONDS // 60}m, in which a new node is cut and reboots",
                f'write "{REPARTITION_SECONDS // 60 + 5}m"',
            )


def claims_on_static_pools(draft: Draft) -> Iterator[Problem]:
    for index, pool in draft.node_pools:
        if pool.partition and pool.partition.dra and not pool.static_nodes:
            yield Problem(
                f"nodePools[{index}].partition.dra",
                "claims on a pool that follows its pods",
                "staticNodes beside it: Karpenter 1.14 starts no node for a claim (settings.ignoreDRARequests)",
                f"write staticNodes: {pool.limits.nodes}, or remove dra",
            )
