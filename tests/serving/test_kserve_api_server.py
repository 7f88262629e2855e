"""Every object of the example, and each form with all that a pod may have, passes a real API server with KServe's full
CRDs; a field that they do not know is refused there and not dropped.
"""

import copy
from dataclasses import replace

import pytest

from infra.plan import Manifest, kubernetes_manifests
from infra.settings import load_stack_file
from simulator.apply import dry_run
from simulator.client import Client
from stacks.evaluation import evaluate
from tests.embedded import Listener
from tests.serving.kserve_example import EXAMPLE, Json, objects, settings_with


def demanding(raw: Json) -> None:
    """Servers apart by force, of a class of one's own, exchanged all at once where that can be said."""
    for model in raw["models"]:
        model.update(spread={"nodes": "required", "zones": "required"}, priorityClass="own-class")
    raw["models"][0]["rollout"] = {"strategy": "recreate"}


def test_the_example_is_taken(control_plane: Client, listener: Listener) -> None:
    kinds = {item.kind for item in objects()}

    assert {"InferenceService", "LLMInferenceService", "KnativeServing", "NetworkPolicy"} <= kinds
    assert [str(item) for item in dry_run(control_plane, objects(), listener)] == []


def test_all_that_a_server_may_be_told_is_taken(control_plane: Client, listener: Listener) -> None:
    stack = replace(load_stack_file(EXAMPLE), settings=settings_with(demanding))
    made = kubernetes_manifests(evaluate(stack, "stand-in"))
    served = [item for item in made if item.api_version.startswith("serving.kserve.io/")]

    assert len(served) == 5
    assert [str(item) for item in dry_run(control_plane, served, listener)] == []


@pytest.mark.parametrize("kind", ["InferenceService", "LLMInferenceService"])
def test_an_unknown_field_is_refused(kind: str, control_plane: Client, listener: Listener) -> None:
    """LLMInferenceService has no strategy for a rollout in KServe 0.20, which is why settings refuse one."""
    body = copy.deepcopy(next(item.body for item in objects() if item.kind == kind))
    body["spec"]["rolloutStrategy"] = {"maxSurge": 1}
    (refused,) = dry_run(control_plane, [Manifest(body, "")], listener)

    assert "rolloutStrategy" in refused.message
