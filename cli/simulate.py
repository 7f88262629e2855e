"""`gpu-platform simulate`: one scenario on a throw-away environment; it fails when the promise is broken."""

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Json
from cli.outcome import print_json, reported

if TYPE_CHECKING:
    from simulator.scenarios import Outcome, Scenario

Name = Annotated[str, typer.Argument(metavar="[NAME]", help="The scenario; --list shows them.")]
List = Annotated[bool, typer.Option("--list", help="List the scenarios and what each promises.")]


def simulate(name: Name = "", list_them: List = False, json: Json = False) -> None:
    """Show a behaviour on a throw-away control plane with real controllers. Touches no cloud."""
    with reported(json):
        if list_them:
            _print_list(json)
            return
        scenario = _scenario(name)
        outcome = _run(scenario, json)
        if json:
            print_json(outcome.as_json())
        elif outcome.broken:
            print(f"error: {outcome.broken}", file=sys.stderr)
        else:
            print(f"the promise of {scenario.name} was kept in {outcome.seconds:.0f} s: {scenario.promise}")
        if outcome.broken:
            raise SystemExit(1)


def _print_list(as_json: bool) -> None:
    from simulator.scenarios import SCENARIOS

    if as_json:
        print_json({"scenarios": [{"name": item.name, "promise": item.promise} for item in SCENARIOS.values()]})
        return
    width = max(len(name) for name in SCENARIOS)
    for item in SCENARIOS.values():
        print(f"{item.name.ljust(width)}  {item.promise}")


def _scenario(name: str) -> "Scenario":
    from infra.errors import InputError, Problem
    from infra.settings.reporting import shown
    from infra.settings.values import did_you_mean
    from simulator.scenarios import SCENARIOS

    if name in SCENARIOS:
        return SCENARIOS[name]
    mend = did_you_mean(name, SCENARIOS, "choose one of these; `gpu-platform simulate --list` says what each promises")
    found = shown(name) if name else "no scenario"
    raise InputError([Problem("NAME", found, f"a scenario: {', '.join(SCENARIOS)}", mend)], "the command line")


def _run(scenario: "Scenario", quiet: bool) -> "Outcome":
    from cli.console import ConsoleProgress
    from infra.plan import kubernetes_manifests
    from infra.progress import SilentProgress
    from infra.settings import load_stack_file
    from simulator.scenarios import run
    from stacks.evaluation import evaluate

    stack = load_stack_file(scenario.stack_file, shown_as=scenario.stack_file.name)
    manifests = kubernetes_manifests(evaluate(stack, "stand-in"))
    with nullcontext(SilentProgress()) if quiet else ConsoleProgress() as progress:
        return run(scenario, manifests, progress, (lambda _: None) if quiet else print)
