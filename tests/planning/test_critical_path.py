"""The longest chain of a plan, against brute force, and the benchmark that compares it with the unavoidable one."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.critical_path import (
    UNAVOIDABLE,
    MissingCreationTimeError,
    creation_time,
    longest,
    report,
    unavoidable,
    until_pools,
)
from infra.errors import PlatformError
from infra.plan import Plan, PlannedResource
from infra.plan.ordering import predecessors
from infra.planning.critical_path import critical_path, is_operation
from tests.conftest import ENVIRONMENTS
from tests.evaluation.programs import plan_of
from tests.plan.builders import plan, resource, urn


def seconds_by(**times: float) -> Any:
    return lambda item: times.get(item.name, 0.0)


def names(chain: tuple[PlannedResource, ...]) -> list[str]:
    return [item.name for item in chain]


def test_nothing_has_no_chain() -> None:
    assert critical_path(plan(), seconds_by()) == ()


def test_the_slowest_chain_counts_and_not_the_longest() -> None:
    short = [resource("slow"), resource("end", "slow", "c")]
    long = [resource("a"), resource("b", "a"), resource("c", "b")]

    assert names(critical_path(plan(*long, *short), seconds_by(slow=9, a=1, b=1, c=1, end=1))) == ["slow", "end"]
    assert names(critical_path(plan(*long, *short), seconds_by(slow=2, a=1, b=1, c=1, end=1))) == ["a", "b", "c", "end"]


@pytest.mark.parametrize(
    "link",
    [
        {"dependencies": (urn("first"),)},
        {"parent": urn("first")},
        {"provider": urn("first")},
        {"property_dependencies": {"x": (urn("first"),)}},
    ],
)
def test_a_resource_waits_for_parent_provider_and_what_it_needs(link: dict[str, Any]) -> None:
    chain = critical_path(plan(resource("first"), resource("then", **link)), seconds_by(first=2, then=3))

    assert names(chain) == ["first", "then"]


def test_children_wait_for_what_their_component_waits_for() -> None:
    """The SDK registers a component only when what it depends on is there, and its children only after it."""
    component = resource("group", "slow", custom=False)
    child = resource("child", parent=component.urn)

    chain = critical_path(plan(resource("slow"), component, child), seconds_by(slow=5, child=1))

    assert names(chain) == ["slow", "group", "child"]
    assert not is_operation(component)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_no_plan_holds_an_edge_to_a_component_but_that_of_a_child(env: str) -> None:
    """The SDK has put the component's children in its place; else the chain would end at a component too early."""
    found = plan_of(env)
    components = {item.urn for item in found if not item.custom and not item.remote}

    assert components
    for item in found:
        assert not components & (predecessors(item) - {item.parent}), item.urn


def test_what_is_outside_the_plan_is_not_waited_for() -> None:
    assert names(critical_path(plan(resource("one", "elsewhere")), seconds_by(one=1))) == ["one"]


def test_a_cycle_is_told() -> None:
    with pytest.raises(PlatformError, match="cycle"):
        critical_path(plan(resource("a", "b"), resource("b", "a")), seconds_by(a=1, b=1))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Plan, dict[str, float]]:
    """A plan of at most eight resources without cycles, and seconds for each."""
    count = draw(st.integers(1, 8))
    made, times = [], {}
    for number in range(count):
        needs = draw(st.lists(st.sampled_from([f"r{other}" for other in range(number)]), unique=True)) if number else []
        parent = draw(st.sampled_from(["", *(urn(f"r{other}") for other in range(number))]))
        made.append(resource(f"r{number}", *needs, parent=parent))
        times[f"r{number}"] = float(draw(st.integers(0, 9)))
    return plan(*draw(st.permutations(made))), times


def every_chain(found: Plan, end: PlannedResource) -> Iterator[tuple[PlannedResource, ...]]:
    """Every chain that ends with one resource."""
    by_urn = found.by_urn()
    yield (end,)
    for need in predecessors(end):
        if need in by_urn:
            yield from ((*chain, end) for chain in every_chain(found, by_urn[need]))


@given(graphs())
def test_no_chain_is_longer(graph: tuple[Plan, dict[str, float]]) -> None:
    found, times = graph

    chain = critical_path(found, seconds_by(**times))

    for before, after in pairwise(chain):
        assert before.urn in predecessors(after)
    brute = max(sum(times[item.name] for item in other) for end in found for other in every_chain(found, end))
    assert sum(times[item.name] for item in chain) == brute


# --- the benchmark ----------------------------------------------------------------------------------------------------


def test_a_type_without_a_row_is_an_error_that_names_it() -> None:
    unknown = resource("x", type_token="acme:index:Thing")

    with pytest.raises(MissingCreationTimeError, match="acme:index:Thing has no row"):
        longest(plan(unknown))
    assert creation_time(replace(unknown, custom=False)).high == 0


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_the_chain_of_an_environment_holds_the_unavoidable_one(env: str) -> None:
    whole, pools = longest(plan_of(env)), longest(until_pools(plan_of(env)))
    least = unavoidable(plan_of(env))
    types = [step.type_token for step in pools.steps]

    assert [token for token in types if token in ("eks:index:Cluster", "aws:eks/nodeGroup:NodeGroup")] == [
        "eks:index:Cluster",
        "aws:eks/nodeGroup:NodeGroup",
    ]
    assert types[-1] == UNAVOIDABLE[-1]
    # Last comes a model: of dev one that KServe serves, after all that KServe stands on.
    served = {"kubernetes:apps/v1:Deployment", "kubernetes:serving.kserve.io/v1beta1:InferenceService"}
    assert served & {step.type_token for step in whole.steps}
    assert not served & set(types)
    assert least[0] <= pools.low <= whole.low
    assert least[1] <= pools.high <= whole.high
    assert pools.low <= pools.high
    # Our own part: no more than a quarter beyond what nobody gets around.
    assert pools.high / least[1] < 1.25


def test_what_no_pool_waits_for_is_not_on_the_way_to_the_pools() -> None:
    pool = resource("pool", "nodes", type_token=UNAVOIDABLE[-1])
    after = resource("server", dependencies=(pool.urn,))

    kept = until_pools(plan(resource("nodes"), resource("aside"), pool, after))

    assert {item.name for item in kept} == {"nodes", "pool"}


def test_the_report_marks_what_others_have_not() -> None:
    chain = longest(until_pools(plan_of("prod")))

    lines = list(report("prod", chain, unavoidable(plan_of("prod"))))

    assert lines[0].startswith("prod: ")
    steps = lines[1 : 1 + len(chain.steps)]
    assert len([line for line in steps if line.startswith("    ")]) <= len(UNAVOIDABLE)
    assert [line for line in steps if "Cluster gpu-prod-control-plane" in line and not line.startswith("  +")]
    assert [line for line in steps if "Provider aws" in line and line.startswith("  +") and line.endswith("estimate")]
