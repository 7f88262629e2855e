"""`gpu-platform status`: what an embedded environment is like now."""

import sys

from cli.options import DEFAULT_ENV, Env, File, Json, environment_name
from cli.outcome import print_json, reported


def status(env: Env = DEFAULT_ENV, file: File = None, json: Json = False) -> None:
    """Show what runs where in an embedded environment."""
    with reported(json):
        from cli.environment_view import environment_text
        from infra.errors import PlatformError
        from simulator import environment

        name = environment_name(env, file)
        found = environment.status(name)
        if found is None:
            raise PlatformError(f"there is no embedded environment {name}", f"start it: gpu-platform up --env {name}")
        if json:
            print_json(found.as_json())
        else:
            sys.stdout.write(environment_text(found))
