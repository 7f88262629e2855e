"""`gpu-platform teardown ...`: what the engine runs while it destroys a stack. A person may run it too."""

import os
from typing import Annotated

import typer

from cli.outcome import reported
from infra.conventions import KUBECONFIG_VARIABLE, SKIP_VARIABLE, VPC_VARIABLE

app = typer.Typer(
    help="The delete hooks of a destroy: guard, drain, sweep. The engine calls them; each can be run by hand.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Cluster = Annotated[str, typer.Option("--cluster", help="Name of the cluster.")]
Context = Annotated[str | None, typer.Option("--context", help="Context of your own kubeconfig.")]
Kubeconfig = Annotated[
    str | None, typer.Option(envvar=KUBECONFIG_VARIABLE, help="Content of a kubeconfig.", show_envvar=True)
]
Region = Annotated[str, typer.Option("--region", help="AWS region; none where the nodes are simulated.")]
Account = Annotated[str, typer.Option("--account", help="AWS account; other credentials are refused.")]
Names = Annotated[str, typer.Option(help="Names, with commas.")]


@app.command()
def guard(
    *,
    stack: Annotated[str, typer.Option("--stack", help="The stack that would go.")],
    cluster: Cluster,
    pools: Names = "",
    own: Names = "",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    controllers: Annotated[bool, typer.Option("--controllers", help="Karpenter or another controller goes.")] = False,
    operators: Annotated[bool, typer.Option("--operators", help="The platform's operators go.")] = False,
    whole: Annotated[bool, typer.Option("--whole-cluster", help="The cluster itself goes.")] = False,
) -> None:
    """Refuse when somebody else still uses what the stack would take away."""
    with reported(False):
        if _skipped("guard"):
            return
        from teardown.cluster import Cluster as Reached
        from teardown.guard import Scope, check_no_consumers

        scope = Scope(stack, _names(pools), controllers or whole, whole, _names(own), operators)
        check_no_consumers(Reached.reach(cluster, kubeconfig, context), scope)
        print(f"nobody else uses what the stack {stack} holds")


@app.command()
def drain(
    *,
    pool: Annotated[str, typer.Option("--pool", help="Karpenter NodePool.")],
    cluster: Cluster,
    patience: Annotated[int, typer.Option("--patience", min=1, help="Seconds for pods to leave within budgets.")],
    region: Region = "",
    account: Account = "",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Empty one pool and delete it, with its machines; ends within its bound or says what is left."""
    with reported(False):
        if _skipped("drain"):
            return
        from infra.planning.pool_drain import PoolDrainBounds
        from teardown.cluster import Cluster as Reached
        from teardown.drain import PoolDrain
        from teardown.machines import Ec2Machines, NoMachines

        machines = Ec2Machines(cluster, region, account) if region else NoMachines()
        PoolDrain(Reached.reach(cluster, kubeconfig, context), machines, pool, _say).run(PoolDrainBounds(patience))


@app.command()
def sweep(
    *,
    cluster: Cluster,
    region: Region,
    account: Account,
    vpc: Annotated[str, typer.Option(envvar=VPC_VARIABLE, help="VPC of the cluster.", show_envvar=True)],
    patience: Annotated[int, typer.Option("--patience", min=1, help="Seconds for interfaces to be free.")] = 600,
) -> None:
    """Delete the network interfaces that a deleted cluster left in its VPC."""
    with reported(False):
        if _skipped("sweep"):
            return
        from teardown.sweep import VpcSweep

        VpcSweep(cluster, vpc, region, account).run(patience, _say)


def _skipped(step: str) -> bool:
    skipped = step in _names(os.environ.get(SKIP_VARIABLE, ""))
    if skipped:
        print(f"{step} left out, as {SKIP_VARIABLE} says")
    return skipped


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _say(text: str) -> None:
    print(text, flush=True)  # the engine shows it as it comes
