"""The estimate of a start against what others measured, and its own promises."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.main import app
from infra.catalog.startup import Figure, startup_figures
from infra.planning.startup.of_models import starts_of
from infra.planning.startup.weights import Load, efs, from_hub, image, local, node, s3_mountpoint, s3_streamer, stated
from infra.settings import load_stack_file
from tests.conftest import ENVIRONMENTS, ROOT
from tests.planning.published_loads import HELD, REPORTED, Held
from tests.storage.examples import EXAMPLE, VARIANTS, example

FIGURES = list(startup_figures().values())
WIDEST = 1.9


@pytest.mark.parametrize("row", HELD, ids=lambda row: row.name)
def test_a_published_time_is_in_our_range(row: Held) -> None:
    found = row.estimate()

    assert found.holds(row.seconds), f"{row.name}: {row.seconds:.1f} s, we say {found} ({row.source})"
    assert found.spread <= WIDEST
    assert found.sources


def test_the_other_rows_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n  {len(HELD)} published loads held, {len(REPORTED)} cannot be:")
        for row in REPORTED:
            print(f"    {row.name} ({row.source}): {row.reason}")

    assert all(row.reason and row.source for row in REPORTED)
    assert not {row.name for row in HELD} & {row.name for row in REPORTED}


def test_pulls_of_a_published_image_are_in_our_ranges() -> None:
    assert image("plain").holds(112.3)
    assert image("soci").holds(59.8)
    assert image("cached").high < 5


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.key)
def test_a_figure_is_possible_and_says_where_it_comes_from(figure: Figure) -> None:
    assert 0 < figure.low <= figure.high <= WIDEST * figure.low
    assert figure.sources
    assert figure.note


def test_every_source_of_a_figure_is_explained() -> None:
    text = (ROOT / "infra" / "catalog" / "data" / "SOURCES.md").read_text(encoding="utf-8")

    assert [key for figure in FIGURES for key in figure.sources if f"`{key}`" not in text] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_committed_combination_has_a_narrow_range(environment: str) -> None:
    found = starts_of(load_stack_file(ROOT / f"Pulumi.{environment}.yaml").settings)

    assert found
    for start in found:
        for one in (start.chosen, *start.others):
            assert one.total is not None
            assert one.total.spread <= WIDEST
            assert one.total.low > start.node.low


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "storage-class"])
def test_every_kind_of_store_has_an_estimate(variant: str) -> None:
    for start in starts_of(example(*VARIANTS[variant]).settings):
        assert start.chosen.total is not None
        assert start.chosen.total.spread <= WIDEST
        assert start.chosen.storage not in {other.storage for other in start.others}


def test_a_class_of_which_nobody_stated_the_throughput_has_none() -> None:
    (start, _) = starts_of(example(*VARIANTS["storage-class"]).settings)

    assert start.chosen.total is None


# --- the arithmetic ---------------------------------------------------------------------------------------------------


def test_ranks_read_once_while_the_page_cache_holds_the_model_and_each_for_itself_beyond() -> None:
    small, large = Load(100, 4, memory_gib=100), Load(100, 4, memory_gib=99)

    assert efs(large).low == pytest.approx(4 * efs(small).low)
    assert s3_streamer(large, 16).low == s3_streamer(small, 16).low  # a streamer reads each byte once


def test_bursting_is_hours_for_a_large_model() -> None:
    assert efs(Load(135), elastic=False).low > 5 * 3600
    assert efs(Load(135)).high < 180


def test_many_servers_share_a_file_system() -> None:
    one, many = efs(Load(100)), efs(Load(100, servers=20))

    assert many.low > one.low
    assert many.low == pytest.approx(100 * 1024 * 20 / 10240)


@given(size=st.floats(1, 2000), ranks=st.integers(1, 8), network=st.floats(5, 3200))
def test_more_to_read_never_takes_less(size: float, ranks: int, network: float) -> None:
    load = Load(size, ranks, memory_gib=500, network_gbps=network)
    larger = replace(load, size_gib=size * 1.5)
    for way in (efs, local, from_hub, s3_streamer, s3_mountpoint):
        assert way(larger).low > way(load).low
        assert way(load).spread <= WIDEST + 1e-9


def test_a_stated_throughput_is_not_quite_reached() -> None:
    assert stated(Load(100), 10).low == pytest.approx(10)
    assert stated(Load(100), 10).high > 15


def test_a_node_takes_longer_than_its_registration() -> None:
    assert node().holds(80)


# --- the command ------------------------------------------------------------------------------------------------------


def test_preview_shows_the_start_of_every_model() -> None:
    text = CliRunner().invoke(app, ["preview", "--file", str(EXAMPLE)]).stdout

    assert "models/qwen3-32b, 61.0 GiB on g6e.12xlarge" in text
    assert "as the settings say" in text
    section = text.partition("estimated")[2]
    assert all(f"    {kind} " in section for kind in ("efs", "hub", "s3-streamer", "nvme-cache", "oci-image"))


def test_preview_as_json_has_seconds_and_sources() -> None:
    data = json.loads(CliRunner().invoke(app, ["preview", "--file", str(EXAMPLE), "--json"]).stdout)

    assert [start["model"] for start in data["startup"]] == ["qwen3-32b", "llama-8b"]
    for start in data["startup"]:
        total = start["chosen"]["total"]
        assert start["chosen"]["storage"] == "efs"
        assert 0 < total["lowSeconds"] < total["highSeconds"] <= WIDEST * total["lowSeconds"] + 0.1
        assert "efs-limits" in total["sources"]
