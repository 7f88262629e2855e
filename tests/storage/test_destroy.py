"""A destroy with stores is safe, for every kind, and every edge that makes it so is needed."""

import pytest

from infra.planning.destroy import DestroyGraph, requirements, survivors, unmet, violations
from infra.planning.destroy.references import references
from tests.evaluation.conftest import no_waiting_for_ever
from tests.planning.test_destroy_order import identifiers, short, without
from tests.storage.examples import VARIANTS, plan

__all__ = ["no_waiting_for_ever"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_destroy_order_with_a_store_is_safe(variant: str) -> None:
    assert [str(item) for item in violations(plan(*VARIANTS[variant]))] == []


@pytest.mark.parametrize("variant", ["efs", "s3-mountpoint", "s3-streamer", "checkpoints"])
def test_destroy_order_with_a_store_has_no_needless_edge(variant: str) -> None:
    made = plan(*VARIANTS[variant])
    graph = DestroyGraph(made)
    whole, held = graph.order(), list(references(made, identifiers(made)))
    touched = [edge for edge in graph.edges if "weights" in edge.first or "train" in edge.first or "Job" in edge.first]
    survived, killed = [], 0
    for edge in touched:
        order = graph.order(without=edge)
        if order == whole:
            continue
        if any(unmet(order, [*held, *requirements(without(made, edge))])):
            killed += 1
        else:
            survived.append(f"{short(made, edge.first)} -> {short(made, edge.then)}")

    assert survived == []
    assert killed > 20


def test_weights_outlive_the_cluster_and_are_listed() -> None:
    found = {f"{item.fate}: {item.what}" for item in survivors(plan(*VARIANTS["efs"]))}

    assert "stays: FileSystem weights-file-system" in found


def test_a_bucket_stays_and_a_lustre_file_system_goes() -> None:
    found = {f"{item.fate}: {item.what}" for item in survivors(plan(*VARIANTS["checkpoints"]))}

    assert "stays: Bucket gpu-weights-checkpoints-bucket" in found
    assert not [what for what in found if "LustreFileSystem" in what]


def test_deletion_protection_holds_data_too() -> None:
    def protect(settings: dict[str, object]) -> None:
        settings["cluster"]["deletionProtection"] = True  # type: ignore[index]

    found = {item.what for item in survivors(plan(*VARIANTS["checkpoints"], protect)) if item.fate == "refuses"}

    assert {
        "FileSystem weights-file-system",
        "LustreFileSystem train-file-system",
        "Bucket gpu-weights-checkpoints-bucket",
    } <= found
