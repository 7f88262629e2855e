"""`gpu-platform diff`: what a change replaces, restarts or drains, without a cloud."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Json
from cli.outcome import print_json, reported
from infra.errors import InputError, Problem

if TYPE_CHECKING:
    from infra.plan import Plan

Old = Annotated[str, typer.Argument(metavar="OLD", help="What is there: an environment, a stack file, or a kept plan.")]
New = Annotated[str, typer.Argument(metavar="NEW", help="What is wanted, in the same forms; `-` is standard input.")]


def diff(old: Old, new: New, json: Json = False) -> None:
    """Show what a change replaces, restarts and drains, in replicas and GPU-hours. Touches no cloud.

    To keep a plan: gpu-platform preview --env prod --json > old.json. After the edit: gpu-platform diff old.json prod
    """
    with reported(json):
        plans = _both(old, new)

        from cli.blast_radius_view import blast_radius_text
        from infra.planning.blast_radius import blast_radius
        from infra.planning.blast_radius.serialization import blast_radius_as_json

        found = blast_radius(*plans)
        if json:
            print_json(blast_radius_as_json(found))
        else:
            sys.stdout.write(blast_radius_text(found, old, new))


def _both(old: str, new: str) -> tuple["Plan", "Plan"]:
    """Both plans, or the problems of both."""
    from cli.plan_source import load_plan

    plans: list[Plan] = []
    problems: list[Problem] = []
    for argument, word in (("OLD", old), ("NEW", new)):
        try:
            plans.append(load_plan(argument, word))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems, "what is to be compared")
    return plans[0], plans[1]
