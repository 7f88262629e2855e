"""What one stack was given: settings and secrets, from the engine or from a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from infra.errors import InputError
from infra.settings import PlatformSettings, load_stack_file, parse_settings
from infra.settings.loading import PROJECT, SECRET_KEYS
from infra.settings.target import Layer
from infra.settings.tokens import GATEWAY_KEYS, problem_of_keys
from stacks.layers import stack_of


@dataclass(frozen=True, slots=True)
class StackConfig:
    """The input of the program.

    Attributes:
        environment: `prod` for the stacks `prod`, `prod-foundation` and `prod-workloads`.
        layers: the layers the stack holds.
        secrets: by name without the project, such as `huggingFaceToken`; each a secret Output.
    """

    environment: str
    layers: tuple[Layer, ...]
    settings: PlatformSettings
    secrets: Mapping[str, pulumi.Output[str]]

    def holder_of(self, layer: Layer) -> str:
        """Name of the stack that holds `layer` of this environment, also when one evaluation sees all layers."""
        return self.environment if layer in self.settings.layers else stack_of(layer, self.environment)


def from_engine() -> StackConfig:
    """Read the running stack's configuration.

    Raises:
        InputError: with every problem of the settings.
    """
    config = pulumi.Config(PROJECT)
    names = [key.removeprefix(f"{PROJECT}:") for key in SECRET_KEYS]
    found = {name: config.get_secret(name) for name in names if config.get(name)}
    secrets = {name: value for name, value in found.items() if value is not None}
    wrong = problem_of_keys(config.get(GATEWAY_KEYS) or "{}") if GATEWAY_KEYS in secrets else None
    if wrong:
        raise InputError([wrong])
    if config.get("environment"):
        # A layer's stack holds no settings of its own: they stand in the environment's file.
        part = load_stack_file(Path(f"Pulumi.{pulumi.get_stack()}.yaml"))
        return StackConfig(part.environment, part.layers, part.settings, secrets)
    settings = parse_settings(config.get_object("platform"))
    return StackConfig(pulumi.get_stack(), settings.layers, settings, secrets)
