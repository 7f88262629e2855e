"""The one evaluation: the program run without an engine, into a plan.

No credentials, CLI, kubeconfig or network are used. The same input gives an equal plan on every run.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import pulumi
from pulumi.runtime.mocks import MockEngine, MockSettings
from pulumi.runtime.settings import SETTINGS, configure
from pulumi.runtime.stack import run_in_stack

from infra.plan import Plan, Value, dependency_order
from infra.plan.records import Mode
from infra.settings import StackFile
from infra.settings.loading import PROJECT
from infra.settings.target import LAYERS, Layer
from infra.settings.tokens import GATEWAY_KEYS
from stacks.layers import stack_of
from stacks.program import deploy
from stacks.recorder import RecordingMonitor
from stacks.stack_config import StackConfig
from stacks.stand_ins import stand_in

_QUIET_SECONDS = 0.05  # far longer than one registration takes in this process, about a millisecond

ORGANIZATION = "organization"  # what Pulumi's own backends without organizations use


def evaluate(
    stack: StackFile,
    mode: Mode = "unknown",
    layers: tuple[Layer, ...] = LAYERS,
    references: Mapping[str, Mapping[str, Value]] | None = None,
) -> Plan:
    """Run the program for one stack and return what it would create.

    Args:
        stack: settings, and the names of the secrets the stack holds.
        mode: `unknown` for previews and policies, `stand-in` where every value must be there.
        layers: all together, so that the seams between them are seen, or some of them.
        references: outputs of other stacks by their full name, `organization/project/stack`.

    Raises:
        InputError: when the settings ask for what only the program can refuse, such as a gated model without a token.
        PlatformError: when the program itself is at fault: a look-up, a cycle, two resources of one name.
    """
    monitor = RecordingMonitor(PROJECT, stack.name, mode, stand_in, references)
    features = set(monitor.GetDeploymentInfo(None).supportedFeatures)  # type: ignore[no-untyped-call]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        configure(
            MockSettings(  # type: ignore[no-untyped-call]
                monitor=monitor,
                monitor_features=features,
                engine=MockEngine(None),
                project=PROJECT,
                stack=stack.name,
                dry_run=mode == "unknown",
                organization=ORGANIZATION,
                callbacks=None,
            )
        )

        async def program() -> None:
            deploy(_config(stack, mode, layers), layers)
            await _mostly_settled()

        loop.run_until_complete(run_in_stack(program))
    finally:
        _abandon(loop)
        asyncio.set_event_loop(None)
        loop.close()
    return Plan(
        project=PROJECT,
        stack=stack.name,
        mode=mode,
        resources=tuple(dependency_order(monitor.recorded.values())),
        exports=dict(sorted(monitor.exports.items())),
    )


async def _mostly_settled() -> None:
    """Wait while registrations finish, until none does for a moment.

    The SDK waits for the rest itself, but after every single task it begins anew with all of them, which grows with
    the square of the plan. Failures stay in their tasks, where the SDK finds and raises them; some tasks end only with
    the stack, hence the limit.
    """
    this = asyncio.current_task()
    finished = True
    while finished:
        under_way = [task for task in asyncio.all_tasks() if task is not this]
        finished = bool(under_way and (await asyncio.wait(under_way, timeout=_QUIET_SECONDS))[0])


def _abandon(loop: asyncio.AbstractEventLoop) -> None:
    """Forget what a failed program left behind, or the next evaluation in this process would await it and fail.

    The failure itself has been raised; its echoes in other tasks would be logged with tracebacks, at any later time.
    """
    loop.set_exception_handler(lambda *_: None)
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    SETTINGS.outputs.clear()
    SETTINGS.rpc_manager.clear()


def evaluate_split(stack: StackFile, mode: Mode = "unknown") -> dict[Layer, Plan]:
    """Run the program once for each layer, as stacks of their own that read each other's recorded outputs.

    Args:
        stack: of the environment, with settings for all layers.
    """
    plans: dict[Layer, Plan] = {}
    references: dict[str, Mapping[str, Value]] = {}
    for layer in LAYERS:
        name = stack_of(layer, stack.environment)
        plans[layer] = evaluate(replace(stack, name=name), mode, (layer,), references)
        references[f"{ORGANIZATION}/{PROJECT}/{name}"] = plans[layer].exports
    return plans


def _config(stack: StackFile, mode: Mode, layers: tuple[Layer, ...]) -> StackConfig:
    """The program's input. Secrets of a file cannot be decrypted here, so each is an unknown or made-up secret."""
    return StackConfig(
        stack.environment, layers, stack.settings, {name: _secret(name, mode) for name in sorted(stack.secrets)}
    )


def _secret(name: str, mode: Mode) -> "pulumi.Output[str]":
    known: asyncio.Future[bool] = asyncio.Future()
    known.set_result(mode == "stand-in")
    value: asyncio.Future[str] = asyncio.Future()
    value.set_result(json.dumps({"stand-in": "stand-in"}) if name == GATEWAY_KEYS else f"stand-in-{name}")
    secret: asyncio.Future[bool] = asyncio.Future()
    secret.set_result(True)
    return pulumi.Output(set(), value, known, secret)
