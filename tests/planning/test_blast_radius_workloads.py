"""What changes of models do: rollouts, scaling, models that come and go, and whether a rollout has room."""

from dataclasses import replace
from typing import Any

import pytest

from infra.conventions import GPU_RESOURCE
from infra.errors import InputError
from infra.plan import PlannedResource
from infra.planning.blast_radius import Effect, blast_radius
from infra.settings import load_stack_file
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.evaluation.programs import plan_of
from tests.planning.edits import edited, effect_of, effect_without_tenants, model, named, one, pool

# Another version than the one whose flags were read is refused unless the settings insist.
ANOTHER_IMAGE = {"image": "docker.io/vllm/vllm-openai:v0.33.1", "engineOptions": {"unconfirmed": "accept"}}


def test_another_image_restarts_the_replicas_of_that_model_one_by_one() -> None:
    found = effect_of("prod", lambda s: model(s, "qwen3-8b").update(ANOTHER_IMAGE))

    finding = one(found, "qwen3-8b-deployment", Effect.RESTART)
    measure = finding.measure
    assert [item.effect for item in found.findings] == [Effect.RESTART]
    assert found.restarted == {"Deployment models/qwen3-8b": 6}
    assert (measure.out_at_once, measure.spare_gpus, measure.nodes) == (0, 1, 0)  # maxUnavailable 0, maxSurge 1
    assert measure.gpu_hours.low == pytest.approx(6 * 39 / 3600)
    assert [change.path for change in finding.changes] == ["spec.template.spec.containers[engine].image"]


def test_gpu_hours_of_a_rollout_grow_with_the_gpus_of_a_server() -> None:
    found = effect_of("prod", lambda s: model(s, "qwen25-72b").update(ANOTHER_IMAGE))

    measure = one(found, "qwen25-72b-deployment", Effect.RESTART).measure
    assert measure.spare_gpus == 8
    assert measure.gpu_hours.high == pytest.approx(2 * 8 * (900 + 112 + 3600) / 3600)
    assert measure.seconds.high == pytest.approx(2 * (900 + 112 + 3600 + 325))  # one after the other


def test_a_rollout_without_room_for_its_spare_server_is_told() -> None:
    def roomy(settings: dict[str, Any]) -> None:
        model(settings, "qwen25-72b").update(ANOTHER_IMAGE)

    def full(settings: dict[str, Any]) -> None:
        roomy(settings)
        pool(settings, "inference-l40s")["limits"] = {"gpus": 38, "nodes": 24}

    with pytest.raises(InputError, match="surge: 1 more of 8"):  # our settings refuse it; a plan may be anybody's
        edited("prod", full)
    after = edited("prod", roomy)
    tight = replace(after, resources=tuple(with_limits(item, "inference-l40s", gpus=38) for item in after))

    notes = one(blast_radius(plan_of("prod"), tight), "qwen25-72b-deployment", Effect.RESTART).measure.notes
    assert any("no room for 8 spare GPUs" in note for note in notes)
    assert one(effect_of("prod", roomy), "qwen25-72b-deployment", Effect.RESTART).measure.notes == ()


def with_limits(item: PlannedResource, pool_name: str, gpus: int) -> PlannedResource:
    """The resource; where it is that node pool, with another limit of GPUs."""
    if item.name != f"{pool_name}-node-pool" or item.inputs.get("kind") != "NodePool":
        return item
    spec: Any = item.inputs["spec"]
    limits = {**spec["limits"], GPU_RESOURCE: str(gpus)}
    assert limits.keys() == spec["limits"].keys()
    return replace(item, inputs={**item.inputs, "spec": {**spec, "limits": limits}})


@pytest.mark.parametrize(
    "change",
    [
        {"maxModelLen": 16384},
        {"startupSeconds": 2000},
        {"resources": {"memoryGib": 30}},
        {"drain": {"shutdownTimeoutSeconds": 200}},
        {"revision": "main"},
    ],
)
def test_every_part_of_the_pod_is_a_rollout(change: dict[str, object]) -> None:
    found = effect_of("prod", lambda s: model(s, "qwen3-8b").update(change))

    assert found.restarted == {"Deployment models/qwen3-8b": 6}
    assert not found.of(Effect.NOT_KNOWN, Effect.REPLACE, Effect.DRAIN)


@pytest.mark.parametrize(("replicas", "started", "stopped"), [(8, 2, 0), (2, 0, 4)])
def test_other_replicas_start_or_stop_servers_and_restart_none(replicas: int, started: int, stopped: int) -> None:
    found = effect_without_tenants("prod", lambda s: model(s, "qwen3-8b").update(replicas=replicas))

    measure = one(found, "qwen3-8b-deployment", Effect.SCALE).measure
    owner = "Deployment models/qwen3-8b"
    assert (measure.started, measure.stopped) == (
        {owner: started} if started else {},
        {owner: stopped} if stopped else {},
    )
    assert (found.restarted, found.gpu_hours.high) == ({}, 0)


def test_replicas_and_image_together_restart_those_that_stay() -> None:
    found = effect_of("prod", lambda s: model(s, "qwen3-8b").update(ANOTHER_IMAGE, replicas=4))

    assert found.restarted == {"Deployment models/qwen3-8b": 4}
    assert found.stopped == {"Deployment models/qwen3-8b": 2}


def test_a_model_that_goes_stops_its_servers() -> None:
    found = effect_without_tenants("prod", lambda s: s["models"].remove(model(s, "summaries")))

    assert found.stopped == {"Deployment batch/summaries": 4}
    assert (found.restarted, found.gpus) == ({}, 0)
    # Its namespace held nothing else, and goes with everything that others may have put there.
    assert "everything in it" in one(found, "batch-namespace", Effect.DELETE).data
    assert found.findings[0].resource.name == "batch-namespace"


def test_a_new_model_is_created_and_disturbs_nobody() -> None:
    def edit(settings: dict[str, Any]) -> None:
        settings["models"].append({**model(settings, "qwen3-8b"), "name": "another"})

    found = effect_without_tenants("prod", edit)

    assert one(found, "another-deployment", Effect.CREATE).measure.started == {"Deployment models/another": 6}
    assert {item.effect for item in found.findings} <= {Effect.CREATE, Effect.UPDATE}


def test_a_model_under_another_name_is_another_model() -> None:
    found = effect_without_tenants("prod", lambda s: model(s, "qwen3-8b").update(name="qwen-small"))

    finding = one(found, "qwen-small-deployment", Effect.REPLACE)
    assert finding.old is not None
    assert finding.old.name == "qwen3-8b-deployment"
    assert finding.measure.restarted == {"Deployment models/qwen3-8b": 6}
    assert finding.measure.out_at_once == 6
    assert "another one is made" in finding.why
    assert "alias" not in finding.instead  # an alias does not help where the name in the cluster changes


def test_a_namespace_that_changes_takes_the_old_objects_away() -> None:
    found = effect_without_tenants("prod", lambda s: model(s, "summaries").update(namespace="models"))

    finding = one(found, "summaries-deployment", Effect.REPLACE)
    assert finding.measure.out_at_once == 4
    assert {change.path for change in finding.changes} == {"metadata.namespace"}
    assert "batch-namespace" in named(found, Effect.DELETE)


def test_a_token_for_a_gated_model_is_a_secret_that_is_made() -> None:
    stack = load_stack_file(ROOT / "Pulumi.local.yaml")
    gated = stack.settings.models[0].model_copy(update={"gated": True})
    settings = stack.settings.model_copy(update={"models": (gated, *stack.settings.models[1:])})
    with_token = replace(stack, settings=settings, secrets=frozenset({"huggingFaceToken"}))

    found = blast_radius(evaluate(stack), evaluate(with_token))

    assert {item.kind for item in found.of(Effect.CREATE)} == {"Secret"}
    assert set(found.restarted) == {f"Deployment {gated.namespace}/{gated.name}"}
