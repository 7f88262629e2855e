"""A plan read back from JSON: the exact inverse of writing, and a clear word for everything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import InputError
from infra.plan import Marker, Plan, PlannedOptions, PlannedResource, plan_as_json, plan_from_json
from tests.conftest import ENVIRONMENTS
from tests.evaluation.programs import plan_of
from tests.plan.builders import plan, resource

# Keys that are markers on the wire are the hard case; no YAML of ours has them, but the inverse must be exact.
KEYS = st.sampled_from(["$unknown", "$secret", "$plain", "a", "b.c", "nvidia.com/gpu"]) | st.text(max_size=4)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(list(Marker))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
TEXTS = st.text(max_size=8)
TUPLES = st.lists(TEXTS, max_size=3).map(tuple)
OPTIONS = st.builds(
    PlannedOptions,
    protect=st.booleans(),
    retain_on_delete=st.booleans(),
    delete_before_replace=st.booleans(),
    ignore_changes=TUPLES,
    replace_on_changes=TUPLES,
    additional_secret_outputs=TUPLES,
    aliases=TUPLES,
    custom_timeouts=st.dictionaries(st.sampled_from(["create", "update", "delete"]), TEXTS, max_size=3),
    deleted_with=TEXTS,
    import_id=TEXTS,
)
RESOURCES = st.builds(
    PlannedResource,
    urn=TEXTS,
    type_token=TEXTS,
    name=TEXTS,
    custom=st.booleans(),
    inputs=st.dictionaries(KEYS, VALUES, max_size=3),
    parent=TEXTS,
    provider=TEXTS,
    remote=st.booleans(),
    read=st.booleans(),
    dependencies=TUPLES,
    property_dependencies=st.dictionaries(KEYS, TUPLES, max_size=2),
    options=OPTIONS,
)
PLANS = st.builds(
    Plan,
    project=TEXTS,
    stack=TEXTS,
    mode=st.sampled_from(["unknown", "stand-in"]),
    resources=st.lists(RESOURCES, max_size=3).map(tuple),
    exports=st.dictionaries(KEYS, VALUES, max_size=3),
)


@given(PLANS)
def test_reading_gives_back_what_was_written(written: Plan) -> None:
    text = json.dumps(plan_as_json(written))

    assert plan_from_json(json.loads(text)) == written
    assert json.dumps(plan_as_json(plan_from_json(json.loads(text)))) == text


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_plan_of_an_environment_comes_back(env: str) -> None:
    assert plan_from_json(plan_as_json(plan_of(env))) == plan_of(env)


def test_unknown_keys_of_a_newer_version_are_ignored() -> None:
    data = plan_as_json(plan(resource("one")))
    data["later"] = 1
    data["resources"][0]["later"] = 1

    assert plan_from_json(data) == plan(resource("one"))


def problem(data: object) -> tuple[str, str, str]:
    with pytest.raises(InputError) as raised:
        plan_from_json(data)
    (found,) = raised.value.problems
    assert "preview" in found.mend
    return found.path, found.found, found.accepted


@pytest.mark.parametrize(
    ("data", "path", "found"),
    [
        ([], "", "a list"),
        (None, "", "nothing"),
        ({}, "", "an object"),
        ({"config": {}}, "", "an object with the keys config"),
    ],
)
def test_what_is_no_plan_is_told(data: object, path: str, found: str) -> None:
    assert problem(data) == (path, found, "a plan as preview writes it")


def broken(**changes: Any) -> dict[str, Any]:
    return plan_as_json(plan(resource("one"))) | changes


@pytest.mark.parametrize(
    ("data", "path", "found"),
    [
        (broken(formatVersion=2), "formatVersion", "2"),
        (broken(formatVersion="1"), "formatVersion", "'1'"),
        (broken(mode="dream"), "mode", "'dream'"),
        (broken(stack=1), "stack", "a number"),
        (broken(exports=[]), "exports", "a list"),
        (broken(resources=[1]), "resources[0]", "a number"),
        (broken(resources=[{}]), "resources[0].propertyDependencies", "nothing"),
        (broken(resources=[broken()["resources"][0] | {"inputs": None}]), "resources[0].inputs", "nothing"),
        (
            broken(resources=[broken()["resources"][0] | {"dependencies": [1]}]),
            "resources[0].dependencies[0]",
            "a numb",
        ),
        (
            broken(resources=[broken()["resources"][0] | {"options": {"protect": "yes"}}]),
            "resources[0].options.protect",
            "text",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(data: object, path: str, found: str) -> None:
    where, what, _ = problem(data)

    assert where == path
    assert what.startswith(found)
