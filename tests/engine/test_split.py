"""Prod as committed, in three stacks that read each other: the seams between them in the real engine."""

import copy
from collections.abc import Iterator

import pytest
from pulumi.automation import Deployment

from infra.settings.target import Layer
from stacks.contract import CONTRACT_VERSION, VERSION_OUTPUT, outputs_of
from stacks.evaluation import evaluate_split
from tests.engine.world import EngineStack, World

FOUNDATION, PLATFORM, WORKLOADS = "prod-foundation", "prod", "prod-workloads"
LAYER_OF: dict[str, Layer] = {FOUNDATION: "foundation", PLATFORM: "platform", WORKLOADS: "workloads"}

Stacks = dict[str, EngineStack]


@pytest.fixture(scope="module")
def stacks(world: World) -> Stacks:
    """The three stacks, with nothing in them, and nodes that have room for prod's pods."""
    world.add_nodes("prod")
    return {name: world.stack(name) for name in LAYER_OF}


@pytest.fixture(scope="module")
def up(stacks: Stacks) -> Stacks:
    """All of them brought up, in order."""
    for name, stack in stacks.items():
        preview = stack.preview()
        done = stack.up()
        assert done.changes == preview.changes, name
        exported = {output.name for output in outputs_of(LAYER_OF[name])} | {VERSION_OUTPUT}
        assert set(done.outputs) == exported, name
    return stacks


def test_a_layer_whose_lower_one_was_never_brought_up_says_which(stacks: Stacks) -> None:
    said = stacks[PLATFORM].failure("preview")

    assert f"organization/gpu-platform/{FOUNDATION}" in said
    assert f"run pulumi up for organization/gpu-platform/{FOUNDATION} first" in said
    assert "Traceback" not in said


def test_each_stack_holds_its_layer_as_the_evaluation_said(up: Stacks, world: World) -> None:
    plans = evaluate_split(world.stack_file("prod"))

    for name, stack in up.items():
        urns = {item["urn"] for item in stack.resources()}
        assert {resource.urn for resource in plans[LAYER_OF[name]]} - urns == set(), name


def test_a_second_up_changes_nothing_in_any_of_them(up: Stacks) -> None:
    assert {name: stack.up().changed for name, stack in up.items()} == {name: {} for name in up}


def test_a_change_in_one_layer_leaves_the_others_alone(up: Stacks, world: World) -> None:
    world.settings("prod", lambda platform: platform["models"][3].update(maxModelLen=32768))

    assert {name: stack.preview().changed for name, stack in up.items()} == {
        FOUNDATION: {},
        PLATFORM: {},
        WORKLOADS: {"update": 1},
    }


def made(stack: EngineStack) -> set[str]:
    """What a stack holds, without the engine's own: a provider that nothing needs any more goes whatever is refused."""
    return {item["urn"] for item in stack.resources() if not item["type"].startswith("pulumi:")}


def test_a_protected_layer_refuses_first_of_all(up: Stacks, world: World) -> None:
    """Also where the preview is left out, as the Automation API does: the guard is protected and goes first."""
    protected = (FOUNDATION, PLATFORM)  # the cluster with its data, and the gateway's CRDs
    for name in protected:
        before = made(up[name]), world.outside.rows()

        said = up[name].failure("destroy")

        assert "command:local:Command::guard" in said
        assert "because it is protected" in said
        assert (made(up[name]), world.outside.rows()) == before

    world.settings("prod", lambda platform: platform["cluster"].update(deletionProtection=False))
    for name in protected:
        up[name].up()


@pytest.mark.parametrize(("lower", "upper"), [(PLATFORM, WORKLOADS), (FOUNDATION, WORKLOADS)])
def test_a_layer_is_not_destroyed_under_the_one_above(up: Stacks, world: World, lower: str, upper: str) -> None:
    before = up[lower].resources(), world.outside.rows()

    said = up[lower].failure("destroy")

    assert f"the stack {lower} is still in use; nothing was destroyed" in said
    assert f"Deployment models/qwen3-32b, of the stack {upper}" in said
    assert f"`pulumi destroy --stack {upper}` first" in said
    assert (up[lower].resources(), world.outside.rows()) == before


@pytest.fixture
def older(up: Stacks) -> Iterator[None]:
    """The foundation's state as an older program would have left it."""
    state = up[FOUNDATION].automation.export_stack()
    old = copy.deepcopy(state.deployment)
    assert old is not None
    root = next(item for item in old["resources"] if item["type"] == "pulumi:pulumi:Stack")
    root["outputs"][VERSION_OUTPUT] = CONTRACT_VERSION - 1
    up[FOUNDATION].automation.import_stack(Deployment(version=state.version, deployment=old))
    yield
    up[FOUNDATION].automation.import_stack(state)


@pytest.mark.usefixtures("older")
def test_a_state_from_an_older_contract_is_refused_with_what_to_do(up: Stacks) -> None:
    said = up[PLATFORM].failure("preview")

    assert (
        f"the stack organization/gpu-platform/{FOUNDATION} has version {CONTRACT_VERSION - 1} of the contract, this"
        f" program needs {CONTRACT_VERSION}"
    ) in said
    assert f"bring up organization/gpu-platform/{FOUNDATION} and this stack from the same version" in said
    assert "Traceback" not in said


def test_from_the_top_down_everything_goes(up: Stacks, world: World) -> None:
    for name in reversed(LAYER_OF):
        assert set(up[name].destroy().changed) == {"delete"}, name

    assert world.left("prod") == []
