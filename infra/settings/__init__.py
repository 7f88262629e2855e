"""The settings of one environment: the frozen schema of `gpu-platform:platform` and the one door to it.

`schema` is the whole; one file an area (`target`, `network`, `cluster`, `node_pools`, `models`, `destroy`). `values`
names the kinds of value (a CIDR, a label, a duration) so that an area reads as a schema. `checks` judges what spans
areas.
`loading` reads a file or the engine's configuration and reports every problem at once.
"""

from infra.settings.loading import StackFile, load_stack_file, parse_settings
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.schema import PlatformSettings

__all__ = [
    "ModelSettings",
    "NodePoolSettings",
    "PlatformSettings",
    "StackFile",
    "load_stack_file",
    "parse_settings",
]
