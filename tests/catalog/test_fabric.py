"""EFA layouts: true to themselves, to the instance table, and to the material they were made from."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from infra.catalog.fabric import HUGE_PAGES_MIB, EfaLayout, NetworkInterface, efa_layouts
from infra.catalog.instances import gpu_instance_types

LAYOUTS = list(efa_layouts().values())

# GB200 shares its cards with two mlx5 functions for NVLink; no EC2NodeClass was seen that describes it.
WITHOUT_LAYOUT = {"p6e-gb200.36xlarge"}


def collected(shared: Path, name: str) -> Path:
    path = shared / "data" / name
    if not path.is_file():
        pytest.skip(f"no ../shared/data/{name}")
    return path


def test_one_layout_in_full() -> None:
    """p5.48xlarge as the EC2 user guide lists it: 32 cards, the first with the node's address beside EFA."""
    found = [(item.card, item.device, item.kind) for item in efa_layouts()["p5.48xlarge"].interfaces]

    assert found[:3] == [(0, 0, "interface"), (0, 1, "efa-only"), (1, 0, "efa-only")]
    assert found[-1] == (31, 0, "efa-only")
    assert len(found) == 33


def test_a_first_card_without_efa_carries_only_the_nodes_address() -> None:
    found = [(item.card, item.device, item.kind) for item in efa_layouts()["p6-b300.48xlarge"].interfaces]

    assert found[:2] == [(0, 0, "interface"), (1, 0, "efa-only")]
    assert len(found) == 17


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda item: item.instance_type)
def test_a_layout_is_possible(layout: EfaLayout) -> None:
    """What the CRD of EC2NodeClass demands (v1.14.1), and what the instance table says."""
    interfaces = layout.interfaces
    efa = [item for item in interfaces if item.kind == "efa-only"]

    assert interfaces[0] == NetworkInterface(0, 0, "interface")
    assert len({(item.card, item.device) for item in interfaces}) == len(interfaces)
    assert len({item.card for item in efa}) == len(efa) == layout.efa_interfaces
    assert max(item.card for item in interfaces) < layout.network_cards
    machine = gpu_instance_types()[layout.instance_type]
    assert (machine.efa_interfaces, machine.network_cards) == (layout.efa_interfaces, layout.network_cards)


def test_every_type_with_efa_has_a_layout() -> None:
    with_efa = {name for name, item in gpu_instance_types().items() if item.efa_interfaces}

    assert with_efa - WITHOUT_LAYOUT == set(efa_layouts())


def test_huge_pages_are_whole_pages() -> None:
    assert HUGE_PAGES_MIB == 10256


def test_layouts_are_as_collected(shared: Path) -> None:
    theirs: dict[str, dict[str, Any]] = json.loads(collected(shared, "gpu_efa_layouts.json").read_text("utf-8"))

    assert set(efa_layouts()) == set(theirs)
    for name, layout in efa_layouts().items():
        wanted = theirs[name]
        listed = [
            {"networkCardIndex": item.card, "deviceIndex": item.device, "interfaceType": item.kind}
            for item in layout.interfaces
        ]
        assert listed == wanted["networkInterfaces"], name
        assert (layout.network_cards, layout.efa_interfaces) == (wanted["networkCards"], wanted["efaInterfaces"])
        assert (layout.first_efa_card == 0) == wanted["card0SupportsEfa"]


def test_karpenter_counts_the_same(shared: Path) -> None:
    with collected(shared, "karpenter-gpu-instance-types.tsv").open(encoding="utf-8", newline="") as file:
        counts = {
            row["instance_type"]: int(row["res_vpc.amazonaws.com/efa"] or 0)
            for row in csv.DictReader(file, delimiter="\t")
        }

    assert {name: counts[name] for name in efa_layouts()} == {
        item.instance_type: item.efa_interfaces for item in LAYOUTS
    }
    assert {name for name in gpu_instance_types() if counts.get(name)} - WITHOUT_LAYOUT == set(efa_layouts())
