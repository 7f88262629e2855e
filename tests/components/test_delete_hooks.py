"""The hooks as the program writes them: the command understands every word, and no secret stands in one."""

import re
import shlex
from typing import Any

import pytest
import typer

from cli import teardown as commands
from infra.conventions import KUBECONFIG_VARIABLE, VPC_VARIABLE
from infra.plan import Marker, Plan, PlannedResource
from infra.planning.pool_drain import PoolDrainBounds
from infra.settings import StackFile
from stacks.evaluation import evaluate, evaluate_split

COMMANDS: Any = typer.main.get_command(commands.app)  # click's own view of them, which has no types


def hooks(plan: Plan) -> list[PlannedResource]:
    return plan.of_type("command:local:Command")


def words(hook: PlannedResource) -> list[str]:
    """What the shell runs in the end."""
    return shlex.split(str(hook.inputs["delete"]).rpartition("; exec ")[2])


@pytest.fixture
def plan(stack: StackFile) -> Plan:
    return evaluate(stack)


def test_the_command_understands_every_hook(plan: Plan) -> None:
    assert hooks(plan)
    for hook in hooks(plan):
        program, room, step, *rest = words(hook)
        assert (program, room) == ("gpu-platform", "teardown")
        options = [option for option in COMMANDS.commands[step].params if option.name != "help"]
        environment = hook.inputs["environment"]
        assert isinstance(environment, dict)
        given = {word.partition("=")[0] for word in rest}
        given |= {option.opts[0] for option in options if option.envvar in environment}
        assert given <= {option.opts[0] for option in options}
        assert {option.opts[0] for option in options if option.required} <= given
        assert set(environment) <= {option.envvar for option in options}


def test_a_hook_is_quiet_until_it_is_deleted(plan: Plan) -> None:
    """Nothing runs at `up`, and nothing is replaced: a replaced hook would run on a living cluster."""
    for hook in hooks(plan):
        assert set(hook.inputs) == {"delete", "environment"}


def test_a_hook_names_no_machine_of_ours(plan: Plan) -> None:
    """Its text is kept in the state and read by whoever destroys the stack, elsewhere."""
    for hook in hooks(plan):
        assert not re.search(r"/(home|root|work|Users)/", str(hook.inputs["delete"]))


def test_the_engine_waits_as_long_as_a_drain_may_take(plan: Plan, stack: StackFile) -> None:
    longest = PoolDrainBounds(stack.settings.destroy.drain_minutes * 60).total

    for hook in hooks(plan):
        if words(hook)[2] == "drain":
            assert int(hook.options.custom_timeouts["delete"].removesuffix("s")) > longest


def test_every_pool_has_a_drain_and_every_stack_that_holds_one_a_guard(plan: Plan) -> None:
    pools = {str(item.inputs["metadata"]["name"]) for item in plan if item.inputs.get("kind") == "NodePool"}  # type: ignore[index,call-overload]
    drained = {word.partition("=")[2] for hook in hooks(plan) for word in words(hook) if word.startswith("--pool=")}

    assert drained == pools
    assert [hook.name for hook in hooks(plan) if words(hook)[2] == "guard"] == ["guard"]


def test_each_layer_guards_what_it_takes_away(stack: StackFile) -> None:
    if stack.settings.target != "eks":
        pytest.skip("is one stack")
    guards = {
        layer: [words(hook) for hook in hooks(part) if hook.name == "guard"]
        for layer, part in evaluate_split(stack).items()
    }

    (foundation,) = guards["foundation"]
    (platform,) = guards["platform"]
    assert "--whole-cluster" in foundation
    assert "--whole-cluster" not in platform
    assert "--controllers" in platform
    assert "--own=" in platform  # the workloads are another stack's, and a reason to refuse
    assert guards["workloads"] == []


def test_the_kubeconfig_is_in_the_environment_and_nowhere_else(stack: StackFile) -> None:
    if stack.settings.target != "eks":
        pytest.skip("uses the caller's own kubeconfig")
    for hook in hooks(evaluate(stack)):
        environment: Any = hook.inputs["environment"]
        known = environment.get(KUBECONFIG_VARIABLE, environment.get(VPC_VARIABLE))
        assert known is Marker.UNKNOWN
