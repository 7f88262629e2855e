"""Scenarios of rollouts and drains break their promise on what is wrong; that they keep it is in test_scenarios."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest

from infra.plan import Manifest, kubernetes_manifests
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator.scenarios import SCENARIOS, Outcome, run
from simulator.scenarios.watching import documents
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
