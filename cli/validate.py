"""`gpu-platform validate`: every problem of a configuration at once."""

from cli.options import DEFAULT_ENV, Env, File, Json, load_stack
from cli.outcome import print_json, reported


def validate(env: Env = DEFAULT_ENV, file: File = None, json: Json = False) -> None:
    """Check a configuration and say everything that is wrong with it. Needs no cloud and no network."""
    with reported(json):
        stack = load_stack(env, file)
        if json:
            print_json({"stack": stack.name, "problems": []})
        else:
            settings = stack.settings
            print(f"{stack.name} is valid: {len(settings.node_pools)} node pools, {len(settings.models)} models")
