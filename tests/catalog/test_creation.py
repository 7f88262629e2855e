"""Creation times: possible figures, each with a source, for every type that an environment creates."""

import re
from pathlib import Path

import pytest

from infra.catalog.creation import ESTIMATE, CreationTime, creation_times
from infra.planning.critical_path import is_operation
from tests.evaluation.programs import plan_of

TIMES = list(creation_times().values())


@pytest.mark.parametrize("time", TIMES, ids=lambda time: time.type_token)
def test_a_row_is_possible_and_says_where_it_comes_from(time: CreationTime) -> None:
    assert 0 <= time.low <= time.high <= 3600
    assert re.fullmatch(r"[a-z]+:[\w./-]+:\w+", time.type_token)
    assert time.sources
    assert time.is_estimate == (ESTIMATE in time.sources)
    assert not time.is_estimate or time.note  # a guess says what it is a guess of


def test_every_key_of_a_source_is_explained(root: Path) -> None:
    text = (root / "infra" / "catalog" / "data" / "SOURCES.md").read_text(encoding="utf-8")

    assert all(f"`{key}`" in text for time in TIMES for key in time.sources)


def test_every_type_that_an_environment_creates_has_a_row(env: str) -> None:
    wanted = {resource.type_token for resource in plan_of(env) if is_operation(resource)}

    assert wanted <= set(creation_times())


def test_what_takes_longest_is_not_guessed() -> None:
    """What decides the critical path: a minute of a control plane matters more than all API calls together."""
    long = [time for time in TIMES if time.high >= 300]

    assert {time.type_token for time in long} >= {"eks:index:Cluster", "aws:eks/nodeGroup:NodeGroup"}
    assert not [time.type_token for time in long if time.is_estimate]


def test_our_commands_create_nothing(env: str) -> None:
    """Their row says 0 s because they have no create command."""
    assert creation_times()["command:local:Command"].high == 0
    assert not [item.name for item in plan_of(env).of_type("command:local:Command") if "create" in item.inputs]
