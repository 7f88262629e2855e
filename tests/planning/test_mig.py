"""Which slices fit on a GPU: against a search of its own over the raw table, and against known cases."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.catalog.mig import MigGpu, mig_gpus
from infra.catalog.tables import read_table
from infra.planning.mig import (
    MigLayout,
    layouts_of,
    mig_capacity,
    nearest_devices,
    placements,
    shared_capacity,
    why_impossible,
)

H100 = mig_gpus()["h100-80"]
Devices = Mapping[str, int]


def possible_by_table(gpu: str) -> set[tuple[tuple[str, int], ...]]:
    """Every possible choice of slices, from the table alone: grow sets of runs that do not touch, one by one.

    Nothing here is shared with the code under test: no order of slices, no counting, no bit sets.
    """
    rows = {row["profile"]: row for row in read_table("mig_profiles") if row["gpu"] == gpu}
    (whole,) = [row for row in read_table("mig_gpus") if row["gpu"] == gpu]
    runs = [
        (name, frozenset(range(int(start), int(start) + int(row["memory_units"]))))
        for name, row in rows.items()
        for start in row["starts"].split(";")
    ]
    known: set[tuple[tuple[str, int], ...]] = set()
    seen: set[frozenset[tuple[str, frozenset[int]]]] = {frozenset()}
    front = list(seen)
    while front:
        grown = []
        for chosen, run in itertools.product(front, runs):
            more = chosen | {run}
            if more in seen or any(run[1] & units for _, units in chosen):
                continue
            seen.add(more)
            names = [name for name, _ in more]
            compute = sum(int(rows[name]["compute_slices"]) for name in names)
            media = [rows[name]["media"] for name in names]
            single = media.count("one") + media.count("all")
            if compute > int(whole["compute_slices"]) or single > 1:
                continue
            grown.append(more)
            if "all" not in media or not {"shared"} & set(media):
                known.add(tuple(sorted((name, names.count(name)) for name in set(names))))
        front = grown
    return known


TABLE = {name: possible_by_table(name) for name in ("a100-40", "h100-80", "rtx-pro-4500-32")}


def key(devices: Devices) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, count) for name, count in devices.items() if count))


@st.composite
def any_devices(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    name = draw(st.sampled_from(sorted(TABLE)))
    counts = {profile: draw(st.integers(0, 4)) for profile in mig_gpus()[name].profiles}
    return name, counts


@given(any_devices())
@settings(max_examples=400)
def test_what_fits_is_what_the_placement_table_allows(case: tuple[str, dict[str, int]]) -> None:
    name, devices = case
    gpu = mig_gpus()[name]

    found = placements(gpu, devices)

    assert (found is not None) == (key(devices) in TABLE[name] or not key(devices))
    assert bool(why_impossible(gpu, devices)) == (found is None)
    if found is not None:
        places = [(item.profile.name, item.start) for item in found]
        assert key({n: [p for p, _ in places].count(n) for n, _ in places}) == key(devices)
        units = [unit for item in found for unit in range(item.start, item.start + item.profile.memory_units)]
        assert len(units) == len(set(units))
        assert max(units, default=0) < gpu.memory_units
        assert all(item.start in item.profile.starts for item in found)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_choice_of_the_table_is_placed(name: str) -> None:
    assert [item for item in TABLE[name] if placements(mig_gpus()[name], dict(item)) is None] == []
    assert len(TABLE[name]) > 10


def impossible(count: int) -> Iterator[tuple[MigGpu, dict[str, int]]]:
    """Random layouts that the table does not allow, few slices among them as well as many."""
    draw = random.Random(20261121)  # noqa: S311 - a test, not a secret
    while count:
        name = draw.choice(sorted(TABLE))
        gpu = mig_gpus()[name]
        profiles = draw.sample(sorted(gpu.profiles), draw.randint(1, 3))
        devices = {profile: draw.randint(1, 5) for profile in profiles}
        if key(devices) not in TABLE[name]:
            count -= 1
            yield gpu, devices


def test_two_hundred_impossible_layouts_are_refused_with_numbers_and_a_layout_that_works() -> None:
    cases = list(impossible(200))

    for gpu, devices in cases:
        why = why_impossible(gpu, devices)
        assert why, (gpu.name, devices)
        assert any(character.isdigit() for character in why.replace(gpu.product, ""))
        nearest = nearest_devices(gpu, devices)
        assert key(nearest) in TABLE[gpu.name]
        assert nearest != devices
    assert len({(gpu.name, key(devices)) for gpu, devices in cases}) > 100


@pytest.mark.parametrize(
    ("devices", "fits"),
    [
        ({"3g.40gb": 1, "2g.20gb": 2}, True),  # the layout of the issue: 2g at 0 and 2, 3g at 4
        ({"1g.10gb": 7}, True),
        ({"4g.40gb": 1, "3g.40gb": 1}, True),
        ({"2g.20gb": 3, "1g.20gb": 1}, True),
        ({"3g.40gb": 2, "1g.10gb": 1}, False),  # six compute slices of seven, and no memory left
        ({"2g.20gb": 3, "1g.10gb": 2}, False),  # 2g only starts at 0, 2 and 4; a 1g at 7 does not exist
        ({"4g.40gb": 2}, False),
        ({"7g.80gb": 1, "1g.10gb": 1}, False),
        ({"1g.10gb+me": 2}, False),
    ],
)
def test_known_layouts_of_an_h100(devices: Devices, fits: bool) -> None:
    assert (placements(H100, devices) is not None) is fits


def test_free_memory_alone_does_not_make_room() -> None:
    """1g may start at 0 to 6 only: the eighth unit can only be reached by a larger slice."""
    why = why_impossible(H100, {"2g.20gb": 3, "1g.10gb": 2})

    assert "take 8 compute slices, and H100 80 GB has 7" in why
    pro = why_impossible(mig_gpus()["rtx-pro-6000-96"], {"1g.24gb": 3, "2g.48gb": 1})
    assert "15 memory units, and RTX PRO 6000 96 GB has 12" in pro


def test_the_nearest_layout_changes_as_little_as_it_can() -> None:
    assert nearest_devices(H100, {"3g.40gb": 2, "1g.10gb": 1}) == {"3g.40gb": 2}
    assert nearest_devices(H100, {"1g.10gb": 8}) == {"1g.10gb": 7}
    assert nearest_devices(H100, {"1g.5gb": 7}) == {"1g.10gb": 7}  # the profile of an A100 40 GB
    assert nearest_devices(mig_gpus()["h200-141"], {"3g.40gb": 1, "2g.20gb": 2}) == {"3g.71gb": 1, "2g.35gb": 2}


@pytest.mark.parametrize("gpu", mig_gpus().values(), ids=lambda gpu: gpu.name)
def test_every_layout_with_a_name_is_possible_and_full(gpu: MigGpu) -> None:
    for layout in layouts_of(gpu).values():
        assert placements(gpu, layout.devices) is not None, layout.name
        assert not layout.is_uniform or all(
            placements(gpu, {name: count + 1}) is None for name, count in layout.devices.items()
        )


def test_a_node_reports_every_slice_and_no_whole_gpu() -> None:
    mixed = MigLayout("chat", {"3g.40gb": 1, "2g.20gb": 2})

    assert mig_capacity(H100, mixed, "mixed", 8) == {
        "nvidia.com/mig-3g.40gb": 8,
        "nvidia.com/mig-2g.20gb": 16,
        "nvidia.com/gpu": 0,
    }
    assert mig_capacity(H100, layouts_of(H100)["all-1g.10gb"], "single", 8) == {"nvidia.com/gpu": 56}
    assert shared_capacity(4, 8) == {"nvidia.com/gpu": 32}


def test_a_gpu_on_which_counting_is_not_enough() -> None:
    """No GPU of the table is like that: everywhere, what can be counted also finds places. The search holds anyway."""
    profile = replace(H100.profiles["3g.40gb"], starts=(2, 4))
    gpu = replace(H100, profiles={"3g.40gb": profile})

    assert placements(gpu, {"3g.40gb": 1}) is not None
    assert why_impossible(gpu, {"3g.40gb": 2}) == (
        "2x 3g.40gb leave no place for each: 3g.40gb takes 4 from 2 or 4 of its 8 memory units"
    )
