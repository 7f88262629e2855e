"""The delete hook that empties a pool while Karpenter lives."""

from typing import TypedDict

import pulumi
from pulumi_command import local

from components.teardown import ReachArgs, delete_hook
from infra.planning.pool_drain import PoolDrainBounds


class NodeDrainArgs(TypedDict):
    """How a pool is emptied before it goes."""

    cluster: ReachArgs
    """The cluster it is in."""
    patience_seconds: int
    """Longest time for pods to leave within their disruption budgets; then they are deleted."""


def node_drain(
    parent: pulumi.ComponentResource, pool: str, args: NodeDrainArgs, needs: list[pulumi.Resource]
) -> local.Command:
    """A hook that runs before the pool's own objects are deleted.

    Without it a deletion of the NodePool returns while machines still run, the controller goes, and finalizers that
    nobody clears hold everything else (METR/hawk pull requests 21 and 576; karpenter-provider-aws issue 1955).

    Args:
        needs: the pool's objects, which must still be there.
    """
    patience = args["patience_seconds"]
    return delete_hook(
        f"{pool}-drain",
        ["drain", f"--pool={pool}", f"--patience={patience}"],
        args["cluster"],
        int(PoolDrainBounds(patience).total),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=needs),
    )
