"""The order of a destroy: it is safe in every environment, and every edge that makes it so is needed.

The mutation test takes away one dependency after the other, as a program without it would look, and asks whether the
rules notice. References are told from the values of the stand-in mode, so a lost data flow does not hide itself.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from infra.plan import Plan, PlannedResource, Value
from infra.planning.destroy import DestroyGraph, Edge, requirements, unmet, violations
from infra.planning.destroy.inside import controller_of, group_of
from infra.planning.destroy.references import references
from infra.planning.destroy.requirement import Found
from infra.settings import load_stack_file
from stacks.evaluation import evaluate, evaluate_split
from stacks.stand_ins import stand_in
from tests.conftest import ENVIRONMENTS, ROOT

SPLIT = ("dev", "staging", "prod")


def plan_of(environment: str) -> Plan:
    return evaluate(load_stack_file(ROOT / f"Pulumi.{environment}.yaml"), "stand-in")


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return plan_of(request.param)


@pytest.fixture(scope="module")
def prod() -> Plan:
    return plan_of("prod")


def texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(item)


def identifiers(plan: Plan) -> dict[str, frozenset[str]]:
    """What the stand-in mode made up for each resource: texts that can come from nowhere else."""
    found = {}
    for item in plan:
        if item.custom or item.remote:
            made_up = stand_in(item.type_token, item.name, item.inputs)
            found[item.urn] = frozenset(
                {made_up.identifier, *texts(dict(made_up.outputs))} - {*texts(dict(item.inputs))}
            )
    return found


def without(plan: Plan, edge: Edge) -> Plan:
    """The plan of a program that lacks one dependency. A parent stays: it is part of the URN."""

    def cut(item: PlannedResource) -> PlannedResource:
        if item.urn != edge.first or item.parent == edge.then:
            return item
        return replace(
            item,
            dependencies=tuple(urn for urn in item.dependencies if urn != edge.then),
            provider="" if item.provider == edge.then else item.provider,
            property_dependencies={
                key: tuple(urn for urn in urns if urn != edge.then) for key, urns in item.property_dependencies.items()
            },
        )

    return replace(plan, resources=tuple(cut(item) for item in plan))


def short(plan: Plan, urn: str) -> str:
    found = plan.by_urn()[urn]
    return f"{found.type_token.rpartition(':')[2]} {found.name}"


def test_a_destroy_is_safe_in_every_environment(plan: Plan) -> None:
    assert [str(violation) for violation in violations(plan)] == []


@pytest.mark.parametrize("environment", SPLIT)
def test_a_destroy_of_each_layer_alone_is_safe(environment: str) -> None:
    parts = evaluate_split(load_stack_file(ROOT / f"Pulumi.{environment}.yaml"), "stand-in")

    assert {layer: [str(item) for item in violations(part)] for layer, part in parts.items()} == {
        "foundation": [],
        "platform": [],
        "workloads": [],
    }


def test_what_holds_an_identifier_goes_before_what_bears_it(plan: Plan) -> None:
    held = list(references(plan, identifiers(plan)))
    order = DestroyGraph(plan).order()

    assert [(short(plan, item.first), short(plan, item.then)) for item in unmet(order, held)] == []
    assert bool(held) == any(item.type_token.startswith("aws:") for item in plan)  # local has nothing in AWS


def test_every_edge_is_needed_or_implied(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    """The mutation test: an edge whose loss nobody notices is either a missing rule or a needless dependency."""
    graph = DestroyGraph(plan)
    whole, held = graph.order(), list(references(plan, identifiers(plan)))
    required, by_urn = requirements(plan), plan.by_urn()
    killed, redundant, survived = 0, 0, []
    for edge in graph.edges:
        order = graph.order(without=edge)
        if order == whole:
            redundant += 1
            continue
        # Rules look at where values come from and at what components wait for: without another edge they are the same.
        first = by_urn[edge.first]
        flows = not first.custom or any(edge.then in urns for urns in first.property_dependencies.values())
        if any(unmet(order, [*held, *(requirements(without(plan, edge)) if flows else required)])):
            killed += 1
        else:
            survived.append(f"{short(plan, edge.first)} -> {short(plan, edge.then)}")
    with capsys.disabled():
        print(f"\n  {plan.stack}: {killed} killed, {redundant} redundant, {len(survived)} survived")

    assert survived == []
    assert killed


def test_every_custom_resource_has_a_controller_that_outlives_it(plan: Plan) -> None:
    found = Found(plan)
    custom = [item for item in found.objects() if "." in group_of(item) and not group_of(item).endswith(".k8s.io")]
    assert custom
    order = DestroyGraph(plan).order()
    accounts = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
    for item in custom:
        controller = controller_of(item)
        assert controller, f"{group_of(item)} {item.inputs['kind']} has no row in CONTROLLERS"
        outlive = [
            *found.releases(controller.chart),
            *found.releases(controller.crd_chart),
            *found.named(accounts, "serviceAccount", controller.service_account),
            *found.of("aws:eks/nodeGroup:NodeGroup"),
        ]
        roles = [controller.chart, controller.crd_chart, controller.service_account, "nodes"]
        assert len(outlive) == (0 if plan.stack == "local" else sum(map(bool, roles)))
        assert [short(plan, other.urn) for other in outlive if not order.holds(item.urn, other.urn)] == []


def test_the_order_is_that_of_the_design(prod: Plan) -> None:
    found = Found(prod)
    stages = [
        found.hooks("guard"),
        found.objects("NodePool"),
        found.objects("EC2NodeClass"),
        found.releases("karpenter"),
        found.of("aws:eks/nodeGroup:NodeGroup"),
        found.of("eks:index:Cluster"),
        found.hooks("sweep"),
        found.of("aws:ec2/vpc:Vpc"),
    ]
    order = DestroyGraph(prod).order()
    assert all(stages)

    for earlier, later in itertools.pairwise(stages):
        pairs = [(first, then) for first in earlier for then in later]
        pairs = [pair for pair in pairs if not _of_two_pools(*pair)]
        assert [(first.name, then.name) for first, then in pairs if not order.holds(first.urn, then.urn)] == []
    (definitions,), (controller,) = found.releases("karpenter-crd"), found.releases("karpenter")
    (cluster,) = found.of("eks:index:Cluster")
    assert order.holds(controller.urn, definitions.urn)
    assert order.holds(definitions.urn, cluster.urn)
    servers = {item.name: item for item in found.objects("Deployment")}
    pools = {item.name: item for item in found.objects("NodePool")}
    assert order.holds(servers["summaries-deployment"].urn, pools["inference-l40s-spot-node-pool"].urn)
    assert not order.holds(
        servers["qwen3-8b-deployment"].urn, pools["inference-l40s-spot-node-pool"].urn
    )  # no user of it


def _of_two_pools(pool: PlannedResource, node_class: PlannedResource) -> bool:
    return node_class.inputs.get("kind") == "EC2NodeClass" and pool.parent != node_class.parent


def test_a_controller_that_goes_first_is_named_with_the_reason(prod: Plan) -> None:
    """The usual mistake: node pools that do not wait for Karpenter."""
    karpenter = Found(prod).releases("karpenter")[0]
    loose = tuple(
        replace(item, dependencies=tuple(urn for urn in item.dependencies if urn != karpenter.urn))
        if item.type_token.endswith(":GpuNodePool")
        else item
        for item in prod
    )

    found = [str(item) for item in violations(replace(prod, resources=loose))]

    assert (
        "NodePool inference-l40s-node-pool may be deleted after Release karpenter-controller; it must go first: its"
        " finalizers need their controller"
    ) in found


def test_a_plain_name_is_no_way_around_the_order(prod: Plan) -> None:
    """An access entry that names its cluster as text must still go before it."""
    entry = next(item for item in prod if item.name == "karpenter-node-access")
    alone = replace(entry, parent="", dependencies=(), property_dependencies={})
    plan = replace(prod, resources=tuple(alone if item == entry else item for item in prod))

    found = [str(item) for item in violations(plan)]

    assert any(text.startswith("AccessEntry karpenter-node-access may be deleted after Cluster") for text in found)
