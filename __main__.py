"""What the Pulumi engine runs: settings -> layers -> exports."""

import pulumi

from infra.errors import PlatformError
from stacks.program import deploy
from stacks.stack_config import from_engine

try:
    config = from_engine()
    deploy(config, config.layers)
except PlatformError as error:
    raise pulumi.RunError(str(error)) from None  # the engine prints it without a traceback
