"""The fabric of pools: which machines have EFA and how much, one zone, and networks that do not collide."""

from collections.abc import Iterable, Iterator

from infra.catalog.fabric import EfaLayout, efa_layouts
from infra.catalog.instances import instance_types_with
from infra.catalog.zones import zones_offering
from infra.errors import Problem
from infra.settings.checks.draft import Draft
from infra.settings.node_pools import NodePoolSettings
from infra.settings.values import did_you_mean


def efa_machines(draft: Draft) -> Iterator[Problem]:
    """Every machine of an EFA pool has EFA, and all have it alike: the pool's one EC2NodeClass lists the interfaces."""
    for index, pool in draft.node_pools:
        if pool.fabric != "efa":
            continue
        layouts = [efa_layouts().get(machine.name) for machine in pool.candidates]
        known = [layout for layout in layouts if layout]
        if pool.gpu:
            if len(known) < len(layouts) or len({layout.shape for layout in known}) > 1:
                yield _gpu_of_many_shapes(index, pool, known)
            continue
        for position, layout in enumerate(layouts):
            if layout is None:
                yield _without_efa(index, position, pool)
        if len({layout.shape for layout in known}) > 1:
            yield Problem(
                f"nodePools[{index}].instanceTypes",
                _by_shape(known),
                "types with equally many EFA interfaces: the pool's EC2NodeClass lists them, and Karpenter leaves out"
                " types with fewer cards",
                "make a pool of each: " + "; ".join(f"[{', '.join(names)}]" for _, names in _groups(known)),
            )


def fabric_in_one_zone(draft: Draft) -> Iterator[Problem]:
    """EFA traffic does not leave a zone, and a cluster placement group stands in one."""
    for index, pool in draft.node_pools:
        zones = list(dict.fromkeys(draft.zones_of(pool)))
        if len(zones) < 2 or (pool.fabric != "efa" and not pool.placement_group):
            continue
        why = "EFA traffic does not leave a zone" if pool.fabric == "efa" else "a cluster placement group stands in one"
        region = draft.aws.region if draft.aws else ""
        good = [
            zone for zone in zones if any(zone in zones_offering(machine.name, region) for machine in pool.candidates)
        ]
        yield Problem(
            f"nodePools[{index}].zones",
            f"{len(zones)} zones: {', '.join(zones)}" + ("" if pool.zones else " (those of network.zones)"),
            f"one zone: {why}",
            f"write zones: [{(good or zones)[0]}]"
            + (f", or make a pool for each of {', '.join(good)}" if good[1:] else ""),
        )


def host_network_for_training(draft: Draft) -> Iterator[Problem]:
    """Servers have Services and probes of their own; two of them on one node would want the same port."""
    for index, pool in draft.node_pools:
        if pool.fabric == "host-network" and pool.purpose != "training":
            yield Problem(
                f"nodePools[{index}].fabric",
                f'"host-network" in a pool for {pool.purpose}',
                "none or efa: pods on the network of the host share its ports, and no network policy reaches them",
                "write none, or make it a pool for training",
            )


def placement_groups_are_used(draft: Draft) -> Iterator[Problem]:
    """A group that no pool names is a misspelt one."""
    if draft.fabric is None or draft.pool_names is None:
        return
    wanted = {pool.placement_group for _, pool in draft.node_pools}
    if len(draft.node_pools) < len(draft.pool_names):
        return  # a pool that is not valid may name it
    for position, name in enumerate(draft.fabric.placement_groups):
        path = f"fabric.placementGroups[{position}]"
        if name in draft.fabric.placement_groups[:position]:
            yield Problem(path, f'"{name}"', "each group once", "remove it")
        elif name not in wanted:
            others = sorted(filter(None, wanted))
            yield Problem(
                path,
                f'"{name}"',
                f"a group that a pool names under placementGroup: {', '.join(others) or 'none does'}",
                did_you_mean(name, others, f"write placementGroup: {name} in a pool, or remove it here"),
            )


def reservations_in_their_group(draft: Draft) -> Iterator[Problem]:
    """EC2 uses a reservation in a cluster placement group only when it was made in that group.

    So a group that this program creates is younger than any reservation the settings can name. Source: Amazon EC2 user
    guide, Capacity Reservations in cluster placement groups.
    """
    created = draft.fabric.placement_groups if draft.fabric else ()
    for index, pool in draft.node_pools:
        if pool.reservations and pool.placement_group in created:
            yield Problem(
                f"nodePools[{index}].placementGroup",
                f'"{pool.placement_group}", created here, in a pool with {len(pool.reservations)} reservation(s)',
                "a group that was there before the reservation: EC2 uses a reservation in a cluster placement group"
                " only when it was made in that group",
                "remove placementGroup from this pool, or make the group and then the reservation in it, and take the"
                " group out of fabric.placementGroups",
            )


def hybrid_networks_apart(draft: Draft) -> Iterator[Problem]:
    """Names and resources of the hybrid fabric are each taken once, and a card is divided by one entry."""
    hybrid = draft.fabric.hybrid if draft.fabric else None
    if hybrid is None:
        return
    entries = [(f"fabric.hybrid.sriov[{index}]", item) for index, item in enumerate(hybrid.sriov)]
    shared = [(f"fabric.hybrid.rdmaShared[{index}]", item) for index, item in enumerate(hybrid.rdma_shared)]
    names = [(f"{path}.name", item.name) for path, item in entries]
    names += [(f"{path}.name", item.name) for path, item in shared]
    yield from _twice(names, "a name")
    yield from _twice([(f"{path}.resourceName", item.resource_name) for path, item in entries], "a resource")
    yield from _twice([(f"{path}.resourceName", item.resource_name) for path, item in shared], "a resource")
    cards = [
        (f"{path}.physicalFunctions[{position}]", card)
        for path, item in entries
        for position, card in enumerate(item.physical_functions)
    ]
    yield from _twice(cards, "a physical function")


def _twice(values: Iterable[tuple[str, str]], what: str) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for path, value in values:
        if value in seen:
            yield Problem(path, f'"{value}"', f"{what} no other entry has; {seen[value]} has it", "change one of them")
        seen.setdefault(value, path)


def _without_efa(index: int, position: int, pool: NodePoolSettings) -> Problem:
    name = pool.instance_types[position]
    gpu = pool.candidates[position].gpu
    able = [item.name for item in instance_types_with(gpu) if item.name in efa_layouts()]
    return Problem(
        f"nodePools[{index}].instanceTypes[{position}]",
        f'"{name}", which has 0 EFA interfaces',
        f"an instance type with EFA; with {gpu}: {_counts(able) or 'there is none'}",
        f'write "{able[0]}", or fabric: none' if able else "write fabric: none, or choose another GPU",
    )


def _gpu_of_many_shapes(index: int, pool: NodePoolSettings, known: list[EfaLayout]) -> Problem:
    without = [machine.name for machine in pool.candidates if machine.name not in efa_layouts()]
    found = [f"{', '.join(without)} (0 interfaces)"] if without else []
    groups = _groups(known)
    return Problem(
        f"nodePools[{index}].gpu",
        f'"{pool.gpu}": ' + "; ".join([*found, *([_by_shape(known)] if known else [])]),
        "machines with equally many EFA interfaces: the pool's EC2NodeClass lists them",
        f"write instanceTypes: [{', '.join(groups[-1][1])}] in place of gpu" if groups else "write fabric: none",
    )


def _groups(layouts: Iterable[EfaLayout]) -> list[tuple[tuple[int, int], list[str]]]:
    """Names by shape, fewest interfaces first."""
    groups: dict[tuple[int, int], list[str]] = {}
    for layout in layouts:
        groups.setdefault(layout.shape, []).append(layout.instance_type)
    return sorted(groups.items(), key=lambda item: (item[0][1], item[0][0]))


def _by_shape(layouts: Iterable[EfaLayout]) -> str:
    return "; ".join(
        f"{', '.join(names)} ({count} interface{'s' if count > 1 else ''}" + (f" from card {first})" if first else ")")
        for (first, count), names in _groups(layouts)
    )


def _counts(names: Iterable[str]) -> str:
    return ", ".join(f"{name} ({efa_layouts()[name].efa_interfaces})" for name in names)
