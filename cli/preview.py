"""`gpu-platform preview`: what an environment would create, without a cloud."""

import sys

from cli.options import DEFAULT_ENV, Env, File, Json, load_stack
from cli.outcome import print_json, reported


def preview(env: Env = DEFAULT_ENV, file: File = None, json: Json = False) -> None:
    """Show everything an environment would create. Needs no credentials, no Pulumi CLI and no network."""
    with reported(json):
        stack = load_stack(env, file)

        from cli.headroom_view import rollouts_as_json, rollouts_as_text, rollouts_of
        from cli.startup_view import startup_as_json, startup_as_text
        from cli.tenancy_view import tenancy_as_json, tenancy_as_text
        from infra.plan import known_manifests, plan_as_json, plan_as_tree
        from infra.planning.destroy import survivors, survivors_as_text
        from infra.planning.startup.of_models import starts_of
        from stacks.evaluation import evaluate

        plan, starts, rollouts = evaluate(stack), starts_of(stack.settings), rollouts_of(stack.settings)
        manifests = known_manifests(plan)
        if json:
            left = [item.as_json() for item in survivors(plan)]
            more = {"startup": startup_as_json(starts), "rollouts": rollouts_as_json(rollouts), "survivors": left}
            print_json({**plan_as_json(plan), **more, "tenancy": tenancy_as_json(stack.settings, manifests)})
        else:
            left_over = survivors_as_text(survivors(plan))
            parts = (
                plan_as_tree(plan),
                startup_as_text(starts),
                rollouts_as_text(rollouts),
                tenancy_as_text(stack.settings, manifests),
                left_over,
            )
            sys.stdout.write("\n".join(part for part in parts if part))
