"""The output contract: what a stack of this project exports and others may rely on."""

from typing import TypedDict

import pulumi

CONTRACT_VERSION = 1


class StackOutputs(TypedDict, total=False):
    """Exports by name. A stack holds those of its layers."""

    contractVersion: int
    """Bumped when an output changes its meaning or goes away."""
    clusterName: str
    """Name of the cluster."""
    nodePools: pulumi.Output[list[str]]
    """Names of the Karpenter NodePools."""
    modelUrls: pulumi.Output[dict[str, str]]
    """Base URL of each model's API inside the cluster, by model name."""


def export(outputs: StackOutputs) -> None:
    """Export the outputs under their names in the contract."""
    for name, value in outputs.items():
        pulumi.export(name, value)
