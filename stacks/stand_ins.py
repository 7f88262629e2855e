"""Made-up outputs for the stand-in mode: deterministic, of valid form, and plainly not real."""

from collections.abc import Mapping
from typing import Any


def stand_in_outputs(type_token: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the cloud would add to a resource's inputs.

    Args:
        type_token: Pulumi type.
        name: name in the program.
        inputs: what the program gave.

    Returns:
        Outputs beyond the inputs; none for an object of the Kubernetes API, whose outputs are its inputs.
    """
    del type_token, name, inputs
    return {}
