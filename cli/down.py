"""`gpu-platform down`: stop an embedded environment and remove what it stored."""

from contextlib import nullcontext

from cli.options import DEFAULT_ENV, Env, File, Json, environment_name
from cli.outcome import print_json, reported


def down(env: Env = DEFAULT_ENV, file: File = None, json: Json = False) -> None:
    """Stop an embedded environment, every process of it, and remove its data."""
    with reported(json):
        from cli.console import ConsoleProgress
        from infra.progress import SilentProgress
        from simulator import environment

        with nullcontext(SilentProgress()) if json else ConsoleProgress() as progress:
            result = environment.down(environment_name(env, file), progress)
        if json:
            print_json({"name": result.name, "existed": result.existed, "stoppedProcesses": result.stopped_processes})
        elif result.existed:
            print(f"{result.name} is down: {result.stopped_processes} processes stopped, its data removed")
        else:
            print(f"{result.name} was not up: nothing to do")
