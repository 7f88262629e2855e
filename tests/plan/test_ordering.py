"""Dependency order: everything after what it needs, and the same on every run."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import PlatformError
from infra.plan import PlannedResource, dependency_order
from infra.plan.ordering import predecessors
from tests.plan.builders import resource, urn


def names(resources: list[PlannedResource]) -> list[str]:
    return [item.name for item in resources]


def test_what_is_needed_comes_first() -> None:
    found = dependency_order([resource("a", "c"), resource("b", "a"), resource("c")])

    assert names(found) == ["c", "a", "b"]


@pytest.mark.parametrize(
    "tie",
    [
        {"parent": urn("z")},
        {"provider": urn("z")},
        {"dependencies": (urn("z"),)},
        {"property_dependencies": {"spec": (urn("z"),)}},
    ],
    ids=lambda tie: next(iter(tie)),
)
def test_every_kind_of_tie_counts(tie: dict[str, Any]) -> None:
    later = resource("a", **{"dependencies": (), **tie})

    assert predecessors(later) == {urn("z")}
    assert names(dependency_order([later, resource("z")])) == ["z", "a"]


def test_ties_are_broken_by_urn_and_not_by_the_order_of_registration() -> None:
    resources = [resource(name) for name in "dbca"]

    assert names(dependency_order(resources)) == list("abcd")


def test_a_resource_outside_the_plan_does_not_hold_anything_up() -> None:
    assert names(dependency_order([resource("a", "not-there")])) == ["a"]


def test_a_cycle_is_refused_by_the_names_of_its_members() -> None:
    resources = [resource("fine"), resource("one", "three"), resource("two", "one"), resource("three", "two")]

    with pytest.raises(PlatformError, match="cycle among: one, three, two") as caught:
        dependency_order(resources)
    assert "fine" not in str(caught.value)
    assert caught.value.mend


def test_what_only_waits_for_a_cycle_is_not_named_as_a_member() -> None:
    resources = [resource("one", "two"), resource("two", "one"), resource("behind", "one")]

    with pytest.raises(PlatformError, match=r"cycle among: one, two$|cycle among: one, two\n") as caught:
        dependency_order(resources)
    assert "behind" not in str(caught.value)


def test_a_resource_that_needs_itself_is_a_cycle() -> None:
    with pytest.raises(PlatformError, match="cycle among: self"):
        dependency_order([resource("self", "self")])


@given(st.data(), st.integers(1, 25))
def test_any_graph_without_cycles_is_ordered_the_same_from_any_start(data: st.DataObject, count: int) -> None:
    edges = [data.draw(st.lists(st.integers(0, index - 1), max_size=3)) if index else [] for index in range(count)]
    resources = [resource(f"r{index:02}", *(f"r{need:02}" for need in needs)) for index, needs in enumerate(edges)]
    mixed = list(resources)
    random.Random(data.draw(st.integers(0, 99))).shuffle(mixed)  # noqa: S311 - order only

    found = dependency_order(mixed)

    assert found == dependency_order(resources)
    place = {item.urn: index for index, item in enumerate(found)}
    assert len(place) == count
    assert all(place[need] < place[item.urn] for item in resources for need in item.dependencies)
