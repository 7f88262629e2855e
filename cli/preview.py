"""`gpu-platform preview`: what an environment would create, without a cloud."""

import sys

from cli.options import DEFAULT_ENV, Env, File, Json, load_stack
from cli.outcome import print_json, reported


def preview(env: Env = DEFAULT_ENV, file: File = None, json: Json = False) -> None:
    """Show everything an environment would create. Needs no credentials, no Pulumi CLI and no network."""
    with reported(json):
        stack = load_stack(env, file)

        from infra.plan import plan_as_json, plan_as_tree
        from infra.planning.destroy import survivors, survivors_as_text
        from stacks.evaluation import evaluate

        plan = evaluate(stack)
        if json:
            print_json({**plan_as_json(plan), "survivors": [item.as_json() for item in survivors(plan)]})
        else:
            sys.stdout.write(f"{plan_as_tree(plan)}\n{survivors_as_text(survivors(plan))}")
