"""Every engine flag used anywhere is in the table of its version; one that was removed is found out."""

from dataclasses import replace

import pytest

from infra.catalog.engines import FlagTable, Removed, engines, flag_table
from infra.catalog.engines.arguments import uses
from tests.serving.engine_flags import Called, called, called_in, scenario_files, stack_files, unknown

TABLES = {name: flag_table(name) for name in engines()}


@pytest.fixture(scope="module")
def calls() -> list[Called]:
    return [call for path in [*stack_files(), *scenario_files()] for call in called_in(path)]


def without(engine: str, flag: str) -> dict[str, FlagTable]:
    """The tables of a world in which the next version of an engine has one flag less."""
    table = TABLES[engine]
    gone = table.flags[flag]
    kept = {spelling: item for spelling, item in table.flags.items() if item is not gone}
    removed = {**table.removed, **{name: Removed(name, "9.9.9", "") for name in (gone.name, *gone.aliases)}}
    return {**TABLES, engine: replace(table, flags=kept, removed=removed)}


def test_every_flag_used_anywhere_is_in_the_table_of_its_version(calls: list[Called]) -> None:
    assert {engine for _, engine, _ in calls} >= {*engines(), "custom"}
    assert {where.partition("/")[0] for where, _, _ in calls} >= {"Pulumi.dev.yaml", "Pulumi.prod.yaml", "examples"}

    assert unknown(calls, TABLES) == []


def test_a_flag_that_is_removed_fails(calls: list[Called]) -> None:
    """For every flag in use: without it in the table, the test above would fail and name it."""
    used = {
        (engine, TABLES[engine].flags[TABLES[engine].spelled(use.text)].name)
        for _, engine, arguments in calls
        if engine in TABLES
        for use in uses(arguments)
    }

    assert len(used) > 40
    for engine, flag in sorted(used):
        found = unknown(calls, without(engine, flag))
        assert found, f"{flag} of {engine}"
        assert all("no " in line and "since 9.9.9" in line for line in found)


def test_the_search_finds_engines_wherever_their_pods_are() -> None:
    """Else the tests above would pass on a form of serving that the search does not know."""
    label, pod = {"llm-d.ai/engine-type": "vllm"}, {"containers": [{"args": ["model", "--seed=1"]}]}
    forms = [
        {"spec": {"template": {"metadata": {"labels": label}, "spec": pod}}},
        {"spec": {"leaderWorkerTemplate": {"leaderTemplate": {"metadata": {"labels": label}, "spec": pod}}}},
        {"spec": {"labels": label, "template": pod}},
        {"metadata": {"labels": label}, "spec": pod},
    ]

    assert [list(called(form)) for form in forms] == [[("vllm", ["--seed=1"])]] * len(forms)
    assert list(called({"spec": pod})) == []
