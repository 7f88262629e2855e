"""Room for one more server: against every arrangement there is, against placement of the plan, and in words."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.plan import kubernetes_manifests
from infra.planning.headroom import (
    MOST_PACKED,
    Machine,
    Room,
    Servers,
    fleet_fits,
    headroom,
    nearest_limits,
    packs,
)
from infra.planning.placement import node_pools, pack, pod_demands
from infra.settings import load_stack_file
from infra.settings.rooms import rooms_of, servers_of
from stacks.evaluation import evaluate
from tests.conftest import ROOT

GPU = "nvidia.com/gpu"


def machine(gpus: int) -> Machine:
    return Machine(f"g.{gpus}", gpus, {GPU: gpus}, gpus * 8, gpus * 32)


def room(name: str = "pool", gpus: int = 8, nodes: int = 4, sizes: tuple[int, ...] = (1, 4)) -> Room:
    return Room(name, gpus, nodes, tuple(machine(size) for size in sizes))


def servers(name: str, count: int, devices: int = 1, *pools: str) -> Servers:
    return Servers(name, pools or ("pool",), count, GPU, devices)


# --- what is judged ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpus", "nodes", "fits"), [(2, 2, False), (3, 2, False), (2, 3, False), (3, 3, True), (30, 30, True)]
)
def test_two_servers_and_one_more_need_three_gpus_and_three_nodes(gpus: int, nodes: int, fits: bool) -> None:
    answer = headroom("a", 1, [servers("a", 2)], [room(gpus=gpus, nodes=nodes, sizes=(1,))])

    assert (answer.fits, answer.fits_without) == (fits, True)
    assert answer.taken == 2
    assert answer.most == min(gpus, nodes)


def test_models_that_share_the_pool_take_their_share_and_others_do_not() -> None:
    pools = [room(gpus=8), room("other", gpus=8)]
    model = servers("a", 1, 4)

    assert headroom("a", 1, [model], pools).fits
    assert not headroom("a", 1, [model, servers("b", 1)], pools).fits
    assert headroom("a", 1, [model, servers("b", 8, 1, "other")], pools).fits
    # It may go elsewhere, so it does.
    assert headroom("a", 1, [model, servers("b", 1, 1, "pool", "other")], pools).fits


def test_gpus_in_pieces_are_no_room_for_a_server_of_four() -> None:
    """Four GPUs are free, on four machines of one."""
    answer = headroom("a", 1, [servers("a", 1, 4)], [room(gpus=8, nodes=8, sizes=(1, 2))])

    assert not answer.fits_without
    assert not headroom("a", 1, [servers("a", 1, 2)], [room(gpus=3, nodes=3, sizes=(1, 2))]).fits
    assert headroom("a", 1, [servers("a", 1, 2)], [room(gpus=4, nodes=2, sizes=(1, 2))]).fits


def test_what_fits_only_on_large_machines_is_told_apart() -> None:
    """Two nodes: four servers and one more fit on machines of four, and not on machines of one."""
    answer = headroom("a", 1, [servers("a", 4)], [room(gpus=8, nodes=2)])

    assert answer.fits
    assert not answer.fits_one_by_one


def test_servers_that_must_stand_apart_need_a_node_each() -> None:
    apart = replace(servers("a", 2), apart=True)

    assert headroom("a", 1, [servers("a", 2)], [room(gpus=8, nodes=2, sizes=(4,))]).fits
    assert not headroom("a", 1, [apart], [room(gpus=8, nodes=2, sizes=(4,))]).fits
    assert headroom("a", 1, [apart], [room(gpus=12, nodes=3, sizes=(4,))]).fits


def test_cpu_and_memory_that_are_stated_count() -> None:
    """A machine of four GPUs has 32 cores here."""
    greedy = replace(servers("a", 1), cpu=20)

    assert not headroom("a", 1, [greedy], [room(gpus=4, nodes=1, sizes=(4,))]).fits
    assert not headroom("a", 1, [replace(greedy, cpu=0, memory_gib=100)], [room(gpus=4, nodes=1, sizes=(4,))]).fits
    assert headroom("a", 1, [replace(greedy, cpu=16)], [room(gpus=4, nodes=1, sizes=(4,))]).fits


def test_very_many_servers_are_judged_by_their_sum() -> None:
    many = MOST_PACKED * 1000

    assert fleet_fits([servers("a", many)], [room(gpus=many, nodes=many)])
    assert not fleet_fits([servers("a", many)], [room(gpus=many - 1, nodes=many)])


# --- against every arrangement ----------------------------------------------------------------------------------------


def arrangements(pool: Room) -> list[tuple[int, ...]]:
    """Every set of machines that a pool's limits allow, none that another holds."""
    sizes = [item.gpus for item in pool.machines]
    found = [
        counts
        for counts in product(*(range(min(pool.node_limit, pool.gpu_limit // size) + 1) for size in sizes))
        if sum(counts) <= pool.node_limit
        and sum(count * size for count, size in zip(counts, sizes, strict=True)) <= pool.gpu_limit
    ]
    return [tuple(size for count, size in zip(counts, sizes, strict=True) for _ in range(count)) for counts in found]


def really_fits(fleet: list[Servers], pools: list[Room]) -> bool:
    """Every set of machines, every way of placing servers on them."""
    wanted = sorted(((item.devices, item.pools) for item in fleet for _ in range(item.count)), reverse=True)

    def place(free: dict[str, tuple[int, ...]], left: list[tuple[int, tuple[str, ...]]]) -> bool:
        if not left:
            return True
        devices, names = left[0]
        for name in names:
            for size in set(free[name]):
                if size >= devices:
                    rest = list(free[name])
                    rest.remove(size)
                    if place({**free, name: (*rest, size - devices)}, left[1:]):
                        return True
        return False

    choices = product(*(arrangements(pool) for pool in pools))
    return any(
        place({pool.name: chosen for pool, chosen in zip(pools, choice, strict=True)}, wanted) for choice in choices
    )


SIZES = st.sampled_from([(1,), (4,), (1, 4), (2, 4), (1, 2, 4)])


@settings(max_examples=60, derandomize=True)
@given(
    st.integers(1, 9),
    st.integers(1, 4),
    SIZES,
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from([1, 2, 4])), min_size=1, max_size=3),
)
def test_within_one_pool_nothing_is_missed(
    gpus: int, nodes: int, sizes: tuple[int, ...], wanted: list[tuple[int, int]]
) -> None:
    fleet = [servers(f"m{number}", count, devices) for number, (count, devices) in enumerate(wanted)]
    pools = [room(gpus=gpus, nodes=nodes, sizes=sizes)]

    assert fleet_fits(fleet, pools) == really_fits(fleet, pools)


@settings(max_examples=40, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3), SIZES), min_size=2, max_size=2),
    st.lists(
        st.tuples(st.integers(1, 2), st.sampled_from([1, 2, 3, 4]), st.sampled_from([("p0",), ("p1",), ("p0", "p1")])),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
def test_what_is_found_to_fit_does(
    shapes: list[tuple[int, int, tuple[int, ...]]], wanted: list[tuple[int, int, tuple[str, ...]]], largest: bool
) -> None:
    pools = [room(f"p{number}", *shape) for number, shape in enumerate(shapes)]
    fleet = [servers(f"m{number}", count, size, *names) for number, (count, size, names) in enumerate(wanted)]

    if packs(fleet, pools, largest_first=largest):
        assert really_fits(fleet, pools)


@settings(max_examples=25, derandomize=True)
@given(st.integers(1, 8), st.integers(1, 3), SIZES, st.integers(1, 4), st.sampled_from([1, 2, 4]))
def test_the_limits_that_are_proposed_are_enough_and_the_nearest(
    gpus: int, nodes: int, sizes: tuple[int, ...], count: int, devices: int
) -> None:
    fleet, pool = [servers("a", count, devices)], room(gpus=gpus, nodes=nodes, sizes=sizes)
    found = nearest_limits("a", 1, fleet, [pool])

    if found is None:
        # Too far away even for what is there, or no machine is large enough.
        assert not fleet_fits(fleet, [pool]) or devices > max(sizes)
        return
    raised = replace(pool, gpu_limit=found[1], node_limit=found[2])
    assert headroom("a", 1, fleet, [raised]).fits
    if (raised.gpu_limit, raised.node_limit) != (pool.gpu_limit, pool.node_limit):
        less = replace(raised, gpu_limit=raised.gpu_limit - 1)
        assert raised.gpu_limit == pool.gpu_limit or not headroom("a", 1, fleet, [less]).fits


# --- against the plan -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_settings_and_plan_agree_on_who_has_room(name: str) -> None:
    """The rendered objects, packed as the simulator packs them, with one replica more for each model in turn."""
    stack = load_stack_file(ROOT / f"Pulumi.{name}.yaml")
    wanted = stack.settings
    manifests = kubernetes_manifests(evaluate(stack, "stand-in"))
    demands, pools = pod_demands(manifests), node_pools(manifests)
    rooms = rooms_of(wanted.node_pools, wanted.mig_layouts)
    named = [
        servers_of(model, [pool for pool in wanted.node_pools if pool.name in model.node_pools], wanted.mig_layouts)
        for model in wanted.models
    ]
    fleet = [item for item in named if item]
    assert len(fleet) == len(wanted.models)

    for item in fleet:
        own = (f" {item.name}", f" {item.name}-group")  # the second a LeaderWorkerSet's
        more = [replace(pod, count=pod.count + 1) if pod.owner.endswith(own) else pod for pod in demands]
        assert more != demands
        unplaced = [missed.pod.owner for missed in pack(more, pools).unplaced]
        assert headroom(item.name, 1, fleet, rooms).fits_one_by_one == (not unplaced), item.name
