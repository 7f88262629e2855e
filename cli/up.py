"""`gpu-platform up`: an environment's Kubernetes half on the embedded control plane."""

import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from cli.options import DEFAULT_ENV, Env, File, Json, environment_name, load_stack
from cli.outcome import print_json, reported

Karpenter = Annotated[
    bool, typer.Option("--karpenter", help="Let Karpenter's real controller start the nodes (built first, minutes).")
]
Timeout = Annotated[int, typer.Option("--timeout", min=1, help="Seconds to wait for pods to be ready.")]


def up(
    env: Env = DEFAULT_ENV,
    file: File = None,
    timeout: Timeout = 120,
    karpenter: Karpenter = False,
    json: Json = False,
) -> None:
    """Bring an environment up here: a real control plane with simulated GPU nodes. Touches no cloud."""
    with reported(json):
        stack = load_stack(env, file)

        from cli.console import ConsoleProgress
        from cli.environment_view import environment_text
        from infra.plan import kubernetes_manifests
        from infra.progress import SilentProgress
        from simulator import environment
        from simulator.releases import substitutes
        from stacks.evaluation import evaluate

        plan = evaluate(stack, "stand-in")
        manifests, charts = kubernetes_manifests(plan), list(substitutes(plan, karpenter=karpenter))
        with nullcontext(SilentProgress()) if json else ConsoleProgress() as progress:
            for chart, substitute in charts:
                progress.note(f"chart {chart}: {substitute.note}")
            status = environment.up(environment_name(env, file), manifests, progress, timeout, karpenter=karpenter)
        if json:
            print_json(status.as_json())
        else:
            sys.stdout.write(environment_text(status))
