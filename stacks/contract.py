"""The output contract: what stacks of this project export, by layer, and how others read it.

Producer and consumer import this module, so a name or a type cannot change on one side only. App teams read the same
outputs through a StackReference from any Pulumi language; `docs/contract.md` lists them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.errors import PlatformError
from infra.settings.target import Layer

# Bumped when an output changes its meaning or goes away; consumers refuse a version they do not know.
CONTRACT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ContractOutput:
    """One output of the contract.

    Attributes:
        name: as exported.
        layer: which layer exports it.
        kind: Python type of the plain value.
        meaning: for people.
    """

    name: str
    layer: Layer
    kind: type
    meaning: str


OUTPUTS: tuple[ContractOutput, ...] = (
    ContractOutput("clusterName", "foundation", str, "name of the cluster"),
    ContractOutput("clusterArn", "foundation", str, "ARN of the cluster"),
    ContractOutput("kubeconfig", "foundation", str, "kubeconfig as JSON; holds no credential, calls aws eks get-token"),
    ContractOutput("keyArn", "foundation", str, "KMS key of everything the cluster stores"),
    ContractOutput("vpcId", "foundation", str, "VPC of the cluster"),
    ContractOutput("nodeSubnetIds", "foundation", list, "subnets of nodes, in the order of the zones"),
    ContractOutput("nodeSecurityGroupId", "foundation", str, "security group of every node"),
    ContractOutput("nodePools", "platform", list, "names of the GPU node pools"),
    ContractOutput("modelUrls", "workloads", dict, "base URL of each model's API inside the cluster, by model name"),
)

# Exported only where the settings ask for what they are about.
OPTIONAL_OUTPUTS: tuple[ContractOutput, ...] = (
    ContractOutput(
        "storageIds",
        "foundation",
        dict,
        "ids of the file systems by store; a Lustre file system's mount name under `<store>.mountName`",
    ),
)

VERSION_OUTPUT = "contractVersion"


def outputs_of(layer: Layer) -> tuple[ContractOutput, ...]:
    """The outputs that `layer` exports."""
    return tuple(output for output in OUTPUTS if output.layer == layer)


def export(values: Mapping[str, pulumi.Input[Any]]) -> None:
    """Export outputs under their names in the contract, with its version.

    Raises:
        KeyError: for a name that is not in the contract; a defect of the caller.
    """
    known = {output.name for output in (*OUTPUTS, *OPTIONAL_OUTPUTS)}
    unknown = set(values) - known
    if unknown:
        raise KeyError(f"not in the contract: {', '.join(sorted(unknown))}")
    pulumi.export(VERSION_OUTPUT, CONTRACT_VERSION)
    for name, value in values.items():
        pulumi.export(name, value)


class ContractError(PlatformError, pulumi.RunError):
    """Another stack does not hold what the contract promises. The engine prints it without a traceback."""


class LayerOutputs:
    """The outputs of another stack, checked against the contract as they are read."""

    def __init__(self, stack: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Refer to `stack`, as `organization/project/stack`."""
        self._stack = stack
        self._reference = pulumi.StackReference(stack, opts=opts)

    def require(self, name: str) -> pulumi.Output[Any]:
        """One output of the contract.

        Raises:
            ContractError: when the stack has no contract, another version of it, or not this output.
        """
        expected = next(output for output in (*OUTPUTS, *OPTIONAL_OUTPUTS) if output.name == name)
        return pulumi.Output.all(self._reference.outputs).apply(lambda found: self._checked(found[0] or {}, expected))

    def _checked(self, found: Mapping[str, Any], expected: ContractOutput) -> Any:
        version = found.get(VERSION_OUTPUT)
        if version is None:
            raise ContractError(
                f"the stack {self._stack} exports no {VERSION_OUTPUT}: it is not a stack of gpu-platform, or it was"
                " never brought up",
                f"run pulumi up for {self._stack} first, or name the right stack",
            )
        if int(version) != CONTRACT_VERSION:
            raise ContractError(
                f"the stack {self._stack} has version {int(version)} of the contract, this program needs"
                f" {CONTRACT_VERSION}",
                f"bring up {self._stack} and this stack from the same version of gpu-platform",
            )
        value = found.get(expected.name)
        if value is None:
            raise ContractError(
                f"the stack {self._stack} exports no {expected.name} ({expected.meaning}), which its layer"
                f" {expected.layer} makes",
                f"run pulumi up for the stack that holds the layer {expected.layer}",
            )
        if not isinstance(value, expected.kind):
            raise ContractError(
                f"{expected.name} of the stack {self._stack} is {type(value).__name__}, not {expected.kind.__name__}",
                f"bring up {self._stack} again",
            )
        return value
