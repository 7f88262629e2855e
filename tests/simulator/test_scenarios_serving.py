"""Scenarios of rollouts and drains break their promise on what is wrong; that they keep it is in test_scenarios."""

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.errors import PlatformError
from infra.plan import Manifest, kubernetes_manifests
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator.scenarios import SCENARIOS, Outcome, run
from simulator.scenarios.watching import ReadyWatch, documents
from stacks.evaluation import evaluate

Text = Callable[[str], str]
Objects = Callable[[list[Manifest]], list[Manifest]]


def same(manifests: list[Manifest]) -> list[Manifest]:
    return manifests


def without_budget(manifests: list[Manifest]) -> list[Manifest]:
    return [item for item in manifests if item.kind != "PodDisruptionBudget"]


# Fault -> the scenario, a change of its stack file or of its objects, and what is seen instead.
FAULTS: dict[str, tuple[str, Text, Objects, str]] = {
    "an old server that goes first": (
        "rolling-update",
        lambda text: text + "        rollout: {strategy: replace}\n",
        same,
        "saw       1 at the lowest",
    ),
    "a drain without a budget": ("node-drain", str, without_budget, "saw       the eviction is accepted"),
}


@pytest.fixture(scope="module")
def runs(state_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Outcome]]:
    """The runs that need an environment, two at a time."""
    assert state_root
    folder = tmp_path_factory.mktemp("faults")
    # Evaluated one after the other: the SDK's runtime is one for the whole process.
    wanted = {fault: _manifests(fault, folder) for fault in FAULTS}
    with ThreadPoolExecutor(2) as pool:
        return {
            fault: pool.submit(run, SCENARIOS[FAULTS[fault][0]], manifests, SilentProgress(), lambda _: None)
            for fault, manifests in wanted.items()
        }


def _manifests(fault: str, folder: Path) -> list[Manifest]:
    name, edit, change, _ = FAULTS[fault]
    file = folder / f"{name}.yaml"
    file.write_text(edit(SCENARIOS[name].stack_file.read_text(encoding="utf-8")), encoding="utf-8")
    return change(kubernetes_manifests(evaluate(load_stack_file(file), "stand-in")))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_promise_is_broken_by(fault: str, runs: dict[str, Future[Outcome]]) -> None:
    outcome = runs[fault].result()

    assert outcome.broken is not None
    assert FAULTS[fault][-1] in str(outcome.broken)


def test_documents_of_a_watch_are_read_as_they_come() -> None:
    stream = StringIO('{"type": "ADDED", "object": {}}\n{\n    "type": "DELETED",\n    "object": {\n    }\n}\n')

    assert [item["type"] for item in documents(stream)] == ["ADDED", "DELETED"]


def _environment(folder: Path, after: str) -> Any:
    """One whose kubectl sees a server ready, and then does what `after` says."""
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    event = {"type": "ADDED", "object": {"metadata": {"name": "one"}, "status": status}}
    kubectl = folder / "kubectl"
    kubectl.write_text(f"#!/bin/sh\necho '{json.dumps(event)}'\n{after}\n", encoding="utf-8")
    kubectl.chmod(0o755)
    return SimpleNamespace(running=SimpleNamespace(tools={"kubectl": kubectl}), kubeconfig=folder / "config")


def test_a_watch_that_ended_early_has_seen_nothing(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="ended before"), ReadyWatch(_environment(tmp_path, ""), "m", 1) as watch:
        watch._process.wait(10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_that_could_not_read_on_has_seen_nothing(tmp_path: Path) -> None:
    environment = _environment(tmp_path, "echo '{]}'; exec sleep 60")
    with pytest.raises(PlatformError, match="ended before"), ReadyWatch(environment, "m", 1) as watch:
        watch._reader.join(10)


def test_a_watch_that_went_on_has_seen_all(tmp_path: Path) -> None:
    with ReadyWatch(_environment(tmp_path, "exec sleep 60"), "m", 1) as watch:
        pass
    assert (watch.lowest, watch.most) == (1, 1)
