"""What the Pulumi engine runs: settings -> layers -> exports."""

from stacks.program import deploy
from stacks.stack_config import from_engine

config = from_engine()
deploy(config, config.layers)
