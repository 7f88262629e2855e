"""What must hold for any change: nothing without a difference, nothing twice, nothing forgotten."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.plan import Plan, plan_as_json, plan_from_json
from infra.planning.blast_radius import Effect, blast_radius
from infra.planning.blast_radius.changes import comparable
from infra.planning.blast_radius.fleet import fleet
from infra.planning.blast_radius.rules import rule_for
from infra.planning.blast_radius.serialization import blast_radius_as_json
from infra.planning.blast_radius.table import rules_of
from tests.conftest import ENVIRONMENTS
from tests.evaluation.programs import plan_of
from tests.plan.test_reading import PLANS

VALUES = st.sampled_from(["other", 0, 7, True, None, [], ["a"], {"k": "v"}, {"$unknown": True}, {"$secret": True}])
CHANGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400), VALUES, st.booleans()), min_size=1, max_size=6)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_no_change_no_finding(env: str) -> None:
    found = blast_radius(plan_of(env), plan_of(env))

    assert (found.findings, found.warnings, found.assumptions) == ((), (), ())


@given(PLANS)
def test_no_change_no_finding_in_any_plan(any_plan: Plan) -> None:
    assert blast_radius(any_plan, any_plan).findings == ()


def changed(plan: Plan, edits: list[tuple[int, int, Any, bool]]) -> Plan:
    """The plan with some inputs, at any depth, set to something else or taken away."""
    data = copy.deepcopy(plan_as_json(plan))
    for which, where, value, remove in edits:
        inputs = data["resources"][which % len(data["resources"])]["inputs"]
        places = list(_places(inputs))
        if not places:
            continue
        holder, key = places[where % len(places)]
        if remove and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = copy.deepcopy(value)
    return plan_from_json(data)


def _places(value: Any) -> Any:
    """Every (container, key) of JSON data."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)


@settings(max_examples=60)
@given(CHANGES)
def test_every_changed_input_is_in_exactly_one_finding(edits: list[tuple[int, int, Any, bool]]) -> None:
    before, after = plan_of("local"), changed(plan_of("local"), edits)

    found = blast_radius(before, after)

    old = comparable(before).by_urn()
    for resource in comparable(after):
        said = [
            (item, change) for item in found.findings if item.resource.urn == resource.urn for change in item.changes
        ]
        paths = [change.keys for _, change in said]
        assert len(paths) == len(set(paths))
        known = old[resource.urn].inputs
        different = {
            key for key in {*known, *resource.inputs} if _differ(known.get(key, ...), resource.inputs.get(key, ...))
        }
        assert {keys[0] for keys in paths if keys[0] != "(options)"} == different
        for item, change in said:
            rule = rule_for(rules_of(resource), change)
            assert item.effect in (rule.effect, Effect.UPDATE)  # requirements that became wider drain nothing
            assert item.source == rule.source


def _differ(old: Any, new: Any) -> bool:
    if ... in (old, new):
        return old is not new
    return plan_json(old) != plan_json(new)


def plan_json(value: Any) -> str:
    from infra.plan.serialization import value_as_json

    return json.dumps(value_as_json(value), sort_keys=True)


@settings(max_examples=60)
@given(CHANGES, st.sampled_from(["local", "dev"]))
def test_sums_stay_within_what_runs_and_the_result_is_json(edits: list[tuple[int, int, Any, bool]], env: str) -> None:
    before = plan_of(env)
    running = fleet(comparable(before))

    found = blast_radius(before, changed(before, edits))

    groups = 3  # nodes of the system node group, which holds no pod of the plan
    assert 0 <= found.nodes <= len(running.nodes) + groups
    assert 0 <= found.gpus <= sum(node.offer.shape.gpus for node in running.nodes)
    assert 0 <= found.gpu_hours.low <= found.gpu_hours.high
    assert set(found.restarted) <= set(running.by_owner)
    ranks = [(not item.data, item.effect.rank) for item in found.findings]
    assert ranks == sorted(ranks)
    assert json.loads(json.dumps(blast_radius_as_json(found)))["gpus"] == found.gpus


@settings(max_examples=30)
@given(CHANGES)
def test_forth_and_back_names_the_same_resources(edits: list[tuple[int, int, Any, bool]]) -> None:
    before = plan_of("local")
    after = changed(before, edits)

    forth, back = blast_radius(before, after), blast_radius(after, before)

    def edited(found: Any) -> set[tuple[str, tuple[str, ...]]]:
        return {(item.resource.urn, change.keys) for item in found.findings for change in item.changes}

    assert edited(forth) == edited(back)
