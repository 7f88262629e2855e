"""The catalogue: typed right, and true to itself."""

import re
from datetime import date
from itertools import pairwise

import pytest

from infra.catalog.instances import GpuInstanceType, gpu_instance_types, gpu_names, instance_types_with
from infra.catalog.models import model_shapes
from infra.catalog.zones import ZONES_WITHOUT_CONTROL_PLANE, regions, zones_of, zones_offering

INSTANCES = list(gpu_instance_types().values())
BUYABLE = {"on-demand", "spot", "capacity-block"}
QUOTA_CODE = re.compile(r"L-[0-9A-F]{8}")


def test_one_row_in_full() -> None:
    """Figures of p5.48xlarge as AWS publishes them."""
    found = gpu_instance_types()["p5.48xlarge"]

    assert (found.family, found.arch, found.kubernetes_arch) == ("p5", "x86_64", "amd64")
    assert (found.gpu, found.gpu_product, found.gpu_count, found.gpu_memory_mib) == ("h100", "H100", 8, 81920)
    assert (found.vcpu, found.memory_gib, found.nvme_gb) == (192, 2048.0, 30400)
    assert (found.network_gbps, found.network_cards, found.efa_interfaces) == (3200.0, 32, 32)
    assert "1g.10gb" in found.mig_profiles
    assert set(found.usage_classes) == BUYABLE
    assert found.usd_per_hour == pytest.approx(55.04, abs=10)
    assert found.price_as_of == date(2026, 7, 6)


@pytest.mark.parametrize("item", INSTANCES, ids=lambda item: item.name)
def test_an_instance_type_is_possible(item: GpuInstanceType) -> None:
    assert gpu_instance_types()[item.name] is item
    assert item.name.partition(".")[0] == item.family
    assert item.kubernetes_arch in ("amd64", "arm64")
    assert item.vcpu > 0
    assert item.memory_gib > 0
    assert item.is_fractional == (item.gpu_count == 0)
    assert item.gpu_count in (0, 1, 2, 4, 8)
    assert item.network_cards >= 1
    assert item.efa_interfaces <= item.network_cards * 4
    assert set(item.usage_classes) <= BUYABLE
    assert item.usage_classes
    if item.gpu_memory_mib is not None:
        assert 1024 <= item.gpu_memory_mib <= 300 * 1024
    if item.allocatable_memory_mib is not None:
        assert 0.75 * item.memory_gib * 1024 < item.allocatable_memory_mib < item.memory_gib * 1024
    for code in (item.on_demand_quota, item.spot_quota, item.capacity_block_quota):
        assert not code or QUOTA_CODE.fullmatch(code)
    assert item.eks_ami


@pytest.mark.parametrize("item", INSTANCES, ids=lambda item: item.name)
def test_every_price_has_a_date(item: GpuInstanceType) -> None:
    assert (item.usd_per_hour is None) == (item.price_as_of is None)
    if item.usd_per_hour is not None and item.price_as_of is not None:
        assert item.usd_per_hour > 0
        assert date(2026, 1, 1) <= item.price_as_of <= date(2026, 12, 31)


def test_larger_sizes_of_a_family_with_as_many_gpus_cost_more() -> None:
    for family in {item.family for item in INSTANCES}:
        sizes = sorted(
            (item.gpu_count, item.vcpu, item.usd_per_hour)
            for item in INSTANCES
            if item.family == family and item.usd_per_hour
        )
        for (gpus, vcpu, price), (more_gpus, more_vcpu, higher) in pairwise(sizes):
            if gpus == more_gpus and vcpu < more_vcpu:
                assert price < higher, (family, vcpu, more_vcpu)


def test_gpus_are_found_by_name_fewest_first_and_whole() -> None:
    assert {"l4", "l40s", "h100", "h200", "b200"} <= set(gpu_names())
    assert "" not in gpu_names()
    for name in gpu_names():
        found = instance_types_with(name)
        assert found
        assert {item.gpu for item in found} == {name}
        assert all(item.gpu_count > 0 for item in found)
        assert [item.gpu_count for item in found] == sorted(item.gpu_count for item in found)
    assert instance_types_with("no-such-gpu") == ()


def test_fractional_types_share_a_name_with_whole_ones_and_are_told_apart() -> None:
    fractional = [item for item in INSTANCES if item.is_fractional]

    assert {item.family for item in fractional} == {"g6f", "gr6f"}
    assert not {item.name for item in fractional} & {item.name for item in instance_types_with("l4")}


def test_zones_are_ids_of_known_regions() -> None:
    assert "us-east-2" in regions()
    assert list(regions()) == sorted(regions())
    for region in regions():
        assert zones_of(region)
        for zone in zones_of(region):
            assert re.fullmatch(r"[a-z]{3,4}\d-[a-z]+\d[a-z]*\d*", zone), zone
    assert zones_of("us-nowhere-1") == frozenset()


def test_offerings_name_types_of_the_catalogue_only() -> None:
    offered = {item.name for item in INSTANCES if any(zones_offering(item.name, region) for region in regions())}

    assert offered
    assert {"p5.48xlarge", "g6e.12xlarge", "g6.2xlarge"} <= offered
    assert zones_offering("p5.48xlarge", "us-east-2") <= zones_of("us-east-2")
    assert zones_offering("no.such", "us-east-2") == frozenset()


def test_zones_without_a_control_plane_belong_to_known_regions() -> None:
    prefixes = {zone.partition("-")[0] for region in regions() for zone in zones_of(region)}

    assert {zone.partition("-")[0] for zone in ZONES_WITHOUT_CONTROL_PLANE} <= prefixes


def test_shapes_of_models_are_possible() -> None:
    assert len(model_shapes()) > 40
    for name, shape in model_shapes().items():
        assert shape.model_id == name
        assert "/" in name
        if shape.attention_heads and shape.kv_heads:
            assert shape.attention_heads % shape.kv_heads == 0, name
        if shape.max_context is not None:
            assert shape.max_context >= 2048
        if shape.checkpoint_gib is not None:
            assert 0.1 < shape.checkpoint_gib < 2000


def test_no_note_contradicts_the_context() -> None:
    stated = {
        name: int(found[1])
        for name, shape in model_shapes().items()
        if "Instruct" in name and (found := re.search(r"Instruct max_position (?:is )?(\d+)", shape.notes))
    }

    assert stated == {"Qwen/Qwen2.5-14B-Instruct": 32768}
    assert {name: model_shapes()[name].max_context for name in stated} == stated


def test_what_a_checkpoint_states_is_no_proof_that_it_is_not_quantised() -> None:
    assert model_shapes()["Qwen/Qwen3-8B"].is_unquantised
    assert not model_shapes()["deepseek-ai/DeepSeek-V3"].is_unquantised
    assert model_shapes()["moonshotai/Kimi-K2.5"].checkpoint_dtype == "bfloat16"  # 554 GiB for a thousand billion
    assert not model_shapes()["moonshotai/Kimi-K2.5"].is_unquantised


def test_a_mixture_is_told_from_a_dense_model() -> None:
    assert model_shapes()["Qwen/Qwen3-30B-A3B"].experts == 128
    assert model_shapes()["Qwen/Qwen3-8B"].experts == 0
    assert all(("Moe" in shape.architecture) <= (shape.experts != 0) for shape in model_shapes().values())


def test_the_size_of_a_checkpoint_is_listed_or_follows_from_its_parameters() -> None:
    listed = model_shapes()["meta-llama/Meta-Llama-3.1-8B"]
    assert listed.checkpoint_gib == 14.96

    # 2 bytes a parameter in GiB, not GB: the two differ by 7 %.
    computed = model_shapes()["Qwen/Qwen3-14B"]
    assert computed.checkpoint_gib is not None
    assert 25 < computed.checkpoint_gib < 31
    assert model_shapes()["mistralai/Mistral-Large-Instruct-2407"].checkpoint_gib is None
