"""`gpu-platform simulate`: the list, a run of either outcome, and names that are not there."""

import json
import re

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from infra.progress import Progress
from simulator import scenarios
from simulator.scenarios import SCENARIOS, BrokenPromiseError, Observation, Outcome, Scenario


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments])


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> dict[str, BrokenPromiseError | None]:
    """Runs end at once, as `broken` says; the real ones are in tests/simulator/test_scenarios.py."""
    chosen: dict[str, BrokenPromiseError | None] = {"broken": None}

    def ended(scenario: Scenario, manifests: object, progress: Progress, tell: object) -> Outcome:
        assert manifests
        progress.note("a note")
        observation = Observation(1.5, "a node")
        assert callable(tell)
        tell(observation)
        return Outcome(scenario, (observation,), 3.0, chosen["broken"])

    monkeypatch.setattr(scenarios, "run", ended)
    return chosen


def test_the_list_names_every_scenario_and_its_promise() -> None:
    listed = json.loads(run("--list", "--json").stdout)["scenarios"]

    assert [item["name"] for item in listed] == list(SCENARIOS)
    assert {"karpenter-weights", "spot-loss"} <= set(SCENARIOS)
    assert all(item["promise"] == SCENARIOS[item["name"]].promise for item in listed)
    for line, name in zip(run("--list").stdout.splitlines(), SCENARIOS, strict=True):
        assert re.match(rf"{name}\s+{re.escape(SCENARIOS[name].promise)}$", line)


@pytest.mark.parametrize(
    ("arguments", "found", "mend"),
    [(("spot-los",), '"spot-los"', 'did you mean "spot-loss"?'), ((), "no scenario", "choose one of these")],
)
def test_an_unknown_name_is_bad_input(arguments: tuple[str, ...], found: str, mend: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert found in result.stderr
    assert mend in result.stderr

    problem = json.loads(run(*arguments, "--json").stdout)["problems"][0]
    assert problem["path"] == "NAME"
    assert "karpenter-weights" in problem["accepted"]


def test_a_kept_promise_is_a_success(ending: dict[str, BrokenPromiseError | None]) -> None:
    del ending
    result = run("spot-loss")
    assert result.exit_code == 0
    assert "1.5 s  a node" in result.stdout
    assert "the promise of spot-loss was kept in 3 s" in result.stdout

    data = json.loads(run("spot-loss", "--json").stdout)
    assert (data["scenario"], data["kept"], data["seconds"]) == ("spot-loss", True, 3.0)
    assert data["observations"] == [{"seconds": 1.5, "text": "a node"}]


def test_a_broken_promise_fails_and_says_what_was_expected_and_seen(
    ending: dict[str, BrokenPromiseError | None],
) -> None:
    ending["broken"] = BrokenPromiseError("two nodes", "one node")
    result = run("spot-loss")
    assert result.exit_code == 1
    assert "expected  two nodes" in result.stderr
    assert "saw       one node" in result.stderr
    assert "kept" not in result.stdout

    result = run("spot-loss", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert (data["kept"], data["expected"], data["saw"]) == (False, "two nodes", "one node")
