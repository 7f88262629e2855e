"""`gpu-platform validate`: every problem of a configuration at once."""

from datetime import datetime
from typing import Annotated

import typer

from cli.options import DEFAULT_ENV, Env, File, Json, load_stack
from cli.outcome import print_json, reported

On = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], metavar="DATE", help="Judge support windows on that day, not today."),
]


def validate(env: Env = DEFAULT_ENV, file: File = None, on: On = None, json: Json = False) -> None:
    """Check a configuration and say everything that is wrong with it. Needs no cloud and no network."""
    with reported(json):
        stack = load_stack(env, file, (on or datetime.now().astimezone()).date())
        if json:
            print_json({"stack": stack.name, "problems": []})
        else:
            settings = stack.settings
            print(f"{stack.name} is valid: {len(settings.node_pools)} node pools, {len(settings.models)} models")
