"""What a destroy leaves: listed before anything is created."""

from dataclasses import replace

import pytest

from infra.plan import Plan, PlannedOptions, PlannedResource
from infra.planning.destroy import survivors, survivors_as_text
from infra.settings import load_stack_file, parse_settings
from stacks.evaluation import evaluate
from tests.conftest import ROOT


def found(environment: str) -> dict[str, str]:
    plan = evaluate(load_stack_file(ROOT / f"Pulumi.{environment}.yaml"))
    return {f"{item.fate}: {item.what}": item.how for item in survivors(plan)}


def test_production_refuses_to_lose_its_data() -> None:
    listed = found("prod")

    assert [name for name in listed if name.startswith("refuses")] == [
        "refuses: Bucket gpu-prod-model-files-bucket",
        "refuses: Chart gateway-crds",
        "refuses: Cluster gpu-prod",
        "refuses: ConfigFile gateway-inference-crds",
        "refuses: Key platform-key",
        "refuses: LogGroup /aws/eks/gpu-prod/cluster",
        "refuses: Repository gpu-prod/training",
        "refuses: Repository gpu-prod/vllm",
    ]
    assert "cluster.deletionProtection to false" in listed["refuses: Cluster gpu-prod"]


def test_development_goes_but_for_what_aws_keeps() -> None:
    listed = found("dev")

    assert not [name for name in listed if name.startswith("refuses")]
    assert listed["goes later: Key platform-key"] == "AWS deletes it after 30 days; until then it can be restored"


def test_repositories_of_a_cache_are_no_states_business() -> None:
    listed = found("prod")

    assert "under gpu-prod/quay/" in listed["leaves: PullThroughCacheRule gpu-prod/quay"]


def test_local_leaves_nothing() -> None:
    plan = evaluate(load_stack_file(ROOT / "Pulumi.local.yaml"))

    assert survivors_as_text(survivors(plan)) == "After a destroy nothing is left.\n"


@pytest.mark.parametrize(
    ("resource", "fate"),
    [
        (
            PlannedResource(
                "urn:a", "aws:efs/fileSystem:FileSystem", "weights", custom=True, inputs={},
                options=PlannedOptions(retain_on_delete=True),
            ),
            "stays",
        ),
        (
            PlannedResource(
                "urn:b", "kubernetes:storage.k8s.io/v1:StorageClass", "fast", custom=True,
                inputs={"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "reclaimPolicy": "Retain",
                        "metadata": {"name": "fast"}},
            ),
            "leaves",
        ),
        (
            PlannedResource(
                "urn:c", "kubernetes:core/v1:PersistentVolume", "weights", custom=True,
                inputs={"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "weights"},
                        "spec": {"persistentVolumeReclaimPolicy": "Retain"}},
            ),
            "leaves",
        ),
    ],
)  # fmt: skip
def test_what_holds_data_is_listed(resource: PlannedResource, fate: str) -> None:
    plan = Plan("gpu-platform", "dev", "unknown", (resource,), {})

    (item,) = survivors(plan)

    assert (item.fate, item.billed) == (fate, True)
    assert survivors(replace(plan, resources=(replace(resource, options=PlannedOptions(), inputs={}),))) == []


def test_deletion_protection_is_the_one_switch() -> None:
    stack = load_stack_file(ROOT / "Pulumi.prod.yaml")
    data = stack.settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    data["cluster"]["deletionProtection"] = False
    data["cluster"].pop("installed", None)  # only with target existing

    plan = evaluate(replace(stack, settings=parse_settings(data)))

    assert not [item for item in survivors(plan) if item.fate == "refuses"]
