"""The catalogue against the material it was made from, where that lies beside the repository."""

import csv
from pathlib import Path

import pytest

from infra.catalog.tables import read_table

Rows = dict[str, dict[str, str]]

INSTANCE_COLUMNS = {
    "family": "family",
    "arch": "arch",
    "gpu": "karpenter_gpu_name_label",
    "gpu_product": "gpu_name",
    "gpu_count": "gpu_count",
    "gpu_memory_mib": "gpu_memory_mib_each",
    "vcpu": "vcpu",
    "memory_gib": "memory_gib",
    "nvme_gb": "local_nvme_total_gb",
    "network_gbps": "network_gbps",
    "network_cards": "network_cards",
    "max_pods": "default_max_pods_no_prefix_delegation",
    "efa_interfaces": "efa_interfaces",
    "mig_profiles": "mig_profiles",
    "usage_classes": "usage_classes",
    "usd_per_hour": "ondemand_usd_per_hour_us_east_1",
    "price_as_of": "price_as_of",
    "on_demand_quota": "ondemand_quota_code",
    "spot_quota": "spot_quota_code",
    "capacity_block_quota": "capacity_block_quota_code_account",
    "eks_ami": "eks_ami_support",
    "notes": "notes",
}

MODEL_COLUMNS = {
    "architecture": "architecture",
    "attention": "attention",
    "layers": "total_layers",
    "hidden_size": "hidden_size",
    "attention_heads": "num_attention_heads",
    "kv_heads": "num_kv_heads",
    "head_dim": "head_dim",
    "vocab_size": "vocab_size",
    "max_context": "max_position_embeddings",
    "parameters_billion": "params_total_b_computed",
    "checkpoint_dtype": "checkpoint_dtype",
    "checkpoint_gib": "checkpoint_gib_catalog",
    "notes": "notes",
}

# What was collected contradicts its own note: the context is of another model with that shape.
CORRECTED = {("Qwen/Qwen2.5-14B-Instruct", "max_context"): "32768"}


def collected(shared: Path, name: str, key: str) -> Rows:
    path = shared / "data" / name
    if not path.is_file():
        pytest.skip(f"no ../shared/data/{name}")
    with path.open(encoding="utf-8", newline="") as file:
        return {row[key]: row for row in csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")}


def ours(table: str, key: str) -> Rows:
    return {row[key]: row for row in read_table(table)}


@pytest.mark.parametrize("column", INSTANCE_COLUMNS)
def test_instance_types_are_as_collected(column: str, shared: Path) -> None:
    theirs = collected(shared, "gpu_instances.csv", "instance_type")
    found = ours("gpu_instances", "instance_type")

    assert set(found) == set(theirs)
    assert {name: row[column] for name, row in found.items()} == {
        name: row[INSTANCE_COLUMNS[column]] for name, row in theirs.items()
    }


def test_allocatable_memory_is_as_karpenter_computes_it(shared: Path) -> None:
    theirs = collected(shared, "karpenter-gpu-instance-types.tsv", "instance_type")

    for name, row in ours("gpu_instances", "instance_type").items():
        listed = theirs.get(name, {}).get("alloc_memory") or ""
        assert row["allocatable_memory_mib"] == listed.removesuffix("Mi"), name


def test_no_column_of_the_instance_types_is_left_unchecked() -> None:
    columns = set(read_table("gpu_instances")[0])

    assert columns == {*INSTANCE_COLUMNS, "instance_type", "allocatable_memory_mib"}


@pytest.mark.parametrize("column", MODEL_COLUMNS)
def test_models_are_as_collected(column: str, shared: Path) -> None:
    theirs = collected(shared, "models.csv", "hf_id")
    found = ours("models", "model_id")

    assert set(found) == set(theirs)
    assert set(next(iter(found.values()))) == {*MODEL_COLUMNS, "model_id", "experts"}
    assert {name: row[column] for name, row in found.items()} == {
        name: CORRECTED.get((name, column), row[MODEL_COLUMNS[column]]) for name, row in theirs.items()
    }


def test_experts_are_as_collected_and_dense_models_have_none(shared: Path) -> None:
    theirs = collected(shared, "models.csv", "hf_id")

    for name, row in ours("models", "model_id").items():
        assert theirs[name]["num_experts"] == row["experts"].replace("0", "", 1 if row["experts"] == "0" else 0), name


def test_zones_are_as_collected(shared: Path) -> None:
    path = shared / "data" / "gpu_az_offerings.csv"
    if not path.is_file():
        pytest.skip("no ../shared/data/gpu_az_offerings.csv")
    columns = ("instance_type", "region", "zone_id")
    with path.open(encoding="utf-8", newline="") as file:
        theirs = {tuple(row[column] for column in columns) for row in csv.DictReader(file)}

    assert {tuple(row[column] for column in columns) for row in read_table("gpu_zone_offerings")} == theirs
