"""Scenarios keep their promises on the settings they come with, and break them on settings that are wrong.

All runs are made at the same time: Karpenter mostly waits for its own timers.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.plan import Manifest, kubernetes_manifests
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator.scenarios import SCENARIOS, BrokenPromiseError, Observation, Observations, Outcome, run
from stacks.evaluation import evaluate
from tests.embedded import processes_in

Runs = dict[str, Future[Outcome]]
Edit = Callable[[str], str]

# A change of a stack file -> the scenario, and what breaks.
FAULTS: dict[str, tuple[str, Edit, str]] = {
    "weights the wrong way round": (
        "karpenter-weights",
        lambda text: text.replace("weight: 100", "weight: 1"),
        "saw       g6.2xlarge on-demand of pool on-demand",
    ),
    "a limit that is too high": (
        "karpenter-weights",
        lambda text: text.replace("limits: {gpus: 1, nodes: 1}", "limits: {gpus: 2, nodes: 2}", 1),
        "reserved of pool reserved; g6.2xlarge reserved of pool reserved",
    ),
    "a baseline that is too small": (
        "spot-loss",
        lambda text: (
            text.replace("limits: {gpus: 2, nodes: 2}", "limits: {gpus: 1, nodes: 1}", 1)
            + "        rollout: {strategy: replace}\n"
        ),  # there is no room for a fourth server, and that is an error
        "saw       baseline, burst, burst",
    ),
    "slices that count as whole GPUs": (
        "mig-slices",
        lambda text: text.replace("{mig: all-1g.10gb}", "{mig: all-1g.10gb, strategy: single}"),
        "saw       7 nvidia.com/gpu",
    ),
}


def manifests_of(path: Path) -> list[Manifest]:
    return kubernetes_manifests(evaluate(load_stack_file(path), "stand-in"))


def throwaways(state_root: Path) -> set[str]:
    """What runs for throw-away environments."""
    return {" ".join(process.cmdline()) for process in processes_in(state_root / ".throwaway")}


@pytest.fixture(scope="module")
def before(state_root: Path) -> set[str]:
    return throwaways(state_root)


@pytest.fixture(scope="module")
def runs(before: set[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Every run, by name of the scenario or the fault."""
    del before
    wanted = {name: (name, manifests_of(scenario.stack_file)) for name, scenario in SCENARIOS.items()}
    folder = tmp_path_factory.mktemp("faults")
    for number, (fault, (name, edit, _)) in enumerate(FAULTS.items()):
        text = SCENARIOS[name].stack_file.read_text(encoding="utf-8")
        file = folder / f"fault-{number}.yaml"
        file.write_text(edit(text), encoding="utf-8")
        assert file.read_text(encoding="utf-8") != text
        wanted[fault] = (name, manifests_of(file))
    with ThreadPoolExecutor(2) as pool:  # as many as the smallest machine has cores
        yield {
            key: pool.submit(run, SCENARIOS[name], manifests, SilentProgress(), lambda _: None)
            for key, (name, manifests) in wanted.items()
        }


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_keeps_its_promise(name: str, runs: Runs) -> None:
    outcome = runs[name].result()

    assert outcome.broken is None
    assert len(outcome.observations) >= 5
    assert [item.seconds for item in outcome.observations] == sorted(item.seconds for item in outcome.observations)
    assert json.loads(json.dumps(outcome.as_json()))["kept"] is True


@pytest.mark.parametrize("fault", FAULTS)
def test_a_promise_is_broken_by(fault: str, runs: Runs) -> None:
    outcome = runs[fault].result()

    assert outcome.broken is not None
    assert FAULTS[fault][2] in str(outcome.broken)
    data = outcome.as_json()
    assert data["kept"] is False
    assert data["expected"]


def test_nothing_is_left_of_a_run(runs: Runs, before: set[str], state_root: Path) -> None:
    for future in runs.values():
        future.result()
    assert throwaways(state_root) == before


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_has_a_name_a_promise_and_valid_settings(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.name == name
    assert len(scenario.promise.split()) > 5
    assert load_stack_file(scenario.stack_file).settings.target == "local"


def test_observations_are_told_at_once_and_a_false_promise_is_none_of_them() -> None:
    told: list[Observation] = []
    observations = Observations(told.append)
    observations.saw("a node")
    with pytest.raises(BrokenPromiseError, match="expected  two nodes\n  saw       one node"):
        observations.promise("two nodes", False, "one node")
    with pytest.raises(BrokenPromiseError, match="three nodes within 0 s"):
        observations.await_that("three nodes", lambda: None, 0, lambda: "one node")
    assert observations.await_that("a node", lambda: 7, 0, lambda: "") == 7
    assert [item.text for item in told] == ["a node"]


def test_staying_away_is_seen_for_the_whole_time() -> None:
    observations = Observations(lambda _: None)
    turns = iter([False, False, True])
    assert observations.stays_away(lambda: False, 0.2)
    assert not observations.stays_away(lambda: next(turns), 1)
