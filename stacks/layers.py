"""Which stack holds which layer, and where a layer that this stack does not hold comes from.

All layers in one stack is the default. Split, the stack named after the environment holds the platform, and
`<environment>-foundation` and `<environment>-workloads` hold the others; each reads the one below through a
StackReference of the same project.
"""

import pulumi

from infra.settings.target import Layer
from stacks.contract import LayerOutputs, outputs_of
from stacks.foundation import Foundation


def stack_of(layer: Layer, environment: str) -> str:
    """Name of the stack that holds `layer` when an environment is split."""
    return environment if layer == "platform" else f"{environment}-{layer}"


def referenced_foundation(environment: str, optional: tuple[str, ...] = ()) -> Foundation:
    """The foundation as another stack exports it.

    Args:
        optional: outputs beyond those that every foundation has, which these settings need.

    Raises:
        PlatformError: when that stack has no contract, or lacks an output of it; said when the value is read.
    """
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack_of('foundation', environment)}"
    other = LayerOutputs(name)
    names = [*(output.name for output in outputs_of("foundation")), *optional]
    outputs = {name: other.require(name) for name in names}
    return Foundation(
        kubeconfig=outputs["kubeconfig"],
        key_arn=outputs["keyArn"],
        vpc_id=outputs["vpcId"],
        storage_ids=outputs.get("storageIds"),
        outputs={},
    )
