"""What one stack was given: settings and secrets, from the engine or from a file."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.settings import PlatformSettings, parse_settings
from infra.settings.loading import PROJECT, SECRET_KEYS


@dataclass(frozen=True, slots=True)
class StackConfig:
    """The input of the program.

    Attributes:
        secrets: by name without the project, such as `huggingFaceToken`; each a secret Output.
    """

    settings: PlatformSettings
    secrets: Mapping[str, pulumi.Output[str]]


def from_engine() -> StackConfig:
    """Read the running stack's configuration.

    Raises:
        InputError: with every problem of the settings.
    """
    config = pulumi.Config(PROJECT)
    names = [key.removeprefix(f"{PROJECT}:") for key in SECRET_KEYS]
    found = {name: config.get_secret(name) for name in names if config.get(name)}
    return StackConfig(
        settings=parse_settings(config.get_object("platform")),
        secrets={name: value for name, value in found.items() if value is not None},
    )
