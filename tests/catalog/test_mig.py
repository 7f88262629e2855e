"""The MIG tables against NVIDIA's own lists: mig-parted's default configuration and the placements of nvidia-smi."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.catalog.instances import gpu_instance_types
from infra.catalog.mig import MigGpu, mig_gpu_of, mig_gpus
from infra.planning.mig import BALANCED, layouts_of

# PCI device ids by which mig-parted tells GPUs apart where one layout means different things.
DEVICE_IDS = {
    "a100-40": "0x20B010DE",
    "a100-80": "0x20B210DE",
    "h100-80": "0x233010DE",
    "h200-141": "0x233510DE",
    "b200-180": "0x290110DE",
    "b300-269": "0x318210DE",
    "rtx-pro-6000-96": "0x2BB510DE",
}

# `nvidia-smi mig -lgipp` on GPUs with seven slices, by the part of the name before the memory and the memory's rank.
SEVEN = {
    "1g": [({0, 1, 2, 3, 4, 5, 6}, 1), ({0, 1, 2, 3, 4, 5, 6}, 1), ({0, 2, 4, 6}, 2)],
    "2g": [({0, 2, 4}, 2)],
    "3g": [({0, 4}, 4)],
    "4g": [({0}, 4)],
    "7g": [({0}, 8)],
}


@pytest.fixture(scope="module")
def default(shared: Path) -> dict[str, Any]:
    path = shared / "data" / "mig-config-default.yaml"
    if not path.is_file():
        pytest.skip("no ../shared/data/mig-config-default.yaml")
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["mig-configs"]
    return found


def devices_for(entries: list[dict[str, Any]], device_id: str) -> dict[str, int] | None:
    """The slices of the entry that is for the device, by its filter or because it has none."""
    for entry in entries:
        filters = entry.get("device-filter", [device_id])
        if device_id in ([filters] if isinstance(filters, str) else filters):
            return dict(entry["mig-devices"])
    return None


def seven_slices() -> Iterator[MigGpu]:
    return (gpu for gpu in mig_gpus().values() if gpu.compute_slices == 7)


@pytest.mark.parametrize("name", DEVICE_IDS)
def test_uniform_and_balanced_layouts_are_mig_parteds(name: str, default: dict[str, Any]) -> None:
    known = {key: layout for key, layout in layouts_of(mig_gpus()[name]).items() if key in default}
    theirs = {key: devices_for(default[key], DEVICE_IDS[name]) for key in known}

    assert {key: dict(layout.devices) for key, layout in known.items()} == theirs
    assert BALANCED in known
    assert len(known) >= 8


def test_placements_are_those_of_nvidia_smi() -> None:
    for gpu in seven_slices():
        for compute, expected in SEVEN.items():
            found = [p for p in gpu.profiles.values() if p.name.startswith(compute)]
            assert [(set(p.starts), p.memory_units) for p in found] == expected, gpu.name
    pro = mig_gpus()["rtx-pro-6000-96"]
    assert {(p.starts, p.memory_units) for p in pro.profiles.values()} == {((0, 3, 6, 9), 3), ((0, 6), 6), ((0,), 12)}


def test_instance_types_have_the_profiles_that_the_eks_guide_lists() -> None:
    for machine in gpu_instance_types().values():
        gpu = mig_gpu_of(machine)
        assert set(machine.mig_profiles) <= set(gpu.profiles if gpu else ()), machine.name
        assert bool(machine.mig_profiles) == bool(gpu), machine.name


def test_an_a100_is_told_by_its_memory() -> None:
    types = gpu_instance_types()
    found = {name: mig_gpu_of(types[name]) for name in ("p4d.24xlarge", "p4de.24xlarge", "g6e.xlarge")}

    assert [gpu.name if gpu else None for gpu in found.values()] == ["a100-40", "a100-80", None]


def test_a_slice_has_less_memory_than_its_name_says_and_never_more_than_its_share() -> None:
    for gpu in mig_gpus().values():
        for profile in gpu.profiles.values():
            share = gpu.gpu_memory_mib / 1024 * profile.memory_units / gpu.memory_units
            assert share - 1.8 < profile.memory_gib < share, (gpu.name, profile.name)


def test_resources_are_named_as_the_device_plugin_names_them() -> None:
    profiles = mig_gpus()["rtx-pro-6000-96"].profiles

    assert profiles["2g.48gb"].resource == "nvidia.com/mig-2g.48gb"
    assert profiles["1g.24gb+me.all"].resource == "nvidia.com/mig-1g.24gb.me.all"
    assert profiles["1g.24gb-me"].resource == "nvidia.com/mig-1g.24gb-me"
