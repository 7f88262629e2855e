"""The example of rollouts and places: its objects pass the real API server, and carry what the settings say."""

from typing import Any

import pytest

from infra.plan import Manifest, kubernetes_manifests
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator import apply
from simulator.client import Client
from stacks.evaluation import evaluate
from tests.conftest import ROOT

Json = dict[str, Any]


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return kubernetes_manifests(evaluate(load_stack_file(ROOT / "examples/rollouts/Pulumi.rollouts.yaml"), "stand-in"))


def named(manifests: list[Manifest], kind: str, name: str) -> Json:
    return next(item.body for item in manifests if (item.kind, item.name) == (kind, name))


def test_the_api_server_accepts_every_object(manifests: list[Manifest], control_plane: Client) -> None:
    kinds = {item.kind for item in manifests}
    assert {"NetworkPolicy", "PriorityClass", "PersistentVolumeClaim", "Deployment"} <= kinds

    rejections = apply.dry_run(control_plane, manifests, SilentProgress())

    assert not rejections, "\n".join(str(item) for item in rejections)


def test_a_rollout_that_neither_surges_nor_lets_go_is_refused(manifests: list[Manifest], control_plane: Client) -> None:
    """Else the test above would pass on a server that takes everything."""
    good = next(item for item in manifests if (item.kind, item.name) == ("Deployment", "chat"))
    stuck = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}
    bad = Manifest({**good.body, "spec": {**good.body["spec"], "strategy": stuck}}, good.urn)

    (rejection,) = apply.dry_run(control_plane, [bad], SilentProgress())

    assert "maxUnavailable" in rejection.message


def test_every_model_has_one_policy_and_one_class_that_is_made(manifests: list[Manifest]) -> None:
    made = {item.name: item.body for item in manifests if item.kind == "PriorityClass"}
    servers = [item for item in manifests if item.kind == "Deployment"]
    policies = {(item.namespace, item.name) for item in manifests if item.kind == "NetworkPolicy"}

    assert {(item.namespace, item.name) for item in servers} <= policies
    used = {item.name: item.body["spec"]["template"]["spec"]["priorityClassName"] for item in servers}
    assert set(used.values()) == set(made)
    assert made[used["chat"]]["value"] > made[used["summaries"]]["value"]
    assert made[used["summaries"]]["preemptionPolicy"] == "Never"


def test_a_reader_follows_the_settings_to_the_objects(manifests: list[Manifest]) -> None:
    chat, long = (named(manifests, "Deployment", name)["spec"] for name in ("chat", "long-context"))
    claim = named(manifests, "PersistentVolumeClaim", "chat-compile-cache")
    volumes = chat["template"]["spec"]["volumes"]

    assert chat["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 2}
    assert long["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    assert claim["spec"]["storageClassName"] == "efs"
    assert {"name": "compile-cache", "persistentVolumeClaim": {"claimName": "chat-compile-cache"}} in volumes
