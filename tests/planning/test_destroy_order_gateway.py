"""The mutation test of the destroy order for the gateway and for a canary behind it, which no environment has all of.

As in `test_destroy_order`, but only with edges that one of their own resources is an end of: the rest of these examples
is what the environments have as well.
"""

import pytest

from infra.plan import Plan
from infra.planning.destroy import DestroyGraph, Edge, requirements, unmet, violations
from infra.planning.destroy.references import references
from infra.settings import load_stack_file
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.planning.test_destroy_order import identifiers, short, without

# An example, and the components whose edges are tried; a URN holds the types of all parents.
EXAMPLES = {
    "gateway": ("GatewayOperators", "InferenceGateway", "EndpointPicker", "SimpleExposure"),
    "canary": ("CanaryRollout",),
}


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def plan(example: str) -> Plan:
    return evaluate(load_stack_file(ROOT / "examples" / example / f"Pulumi.{example}.yaml"), "stand-in")


def own_edges(graph: DestroyGraph, example: str) -> list[Edge]:
    marks = [f":{kind}{end}" for kind in EXAMPLES[example] for end in ("$", "::")]
    return [edge for edge in graph.edges if any(mark in edge.first + edge.then for mark in marks)]


def test_a_destroy_is_safe(plan: Plan) -> None:
    assert [str(item) for item in violations(plan)] == []


def test_every_edge_of_its_own_is_needed_or_implied(plan: Plan, example: str) -> None:
    graph = DestroyGraph(plan)
    whole, held = graph.order(), list(references(plan, identifiers(plan)))
    killed, survived = 0, []
    for edge in own_edges(graph, example):
        order = graph.order(without=edge)
        if order == whole:
            continue
        if any(unmet(order, [*held, *requirements(without(plan, edge))])):
            killed += 1
        else:
            survived.append(f"{short(plan, edge.first)} -> {short(plan, edge.then)}")

    assert survived == []
    assert killed > 15
