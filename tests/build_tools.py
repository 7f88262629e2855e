"""Builds every binary that the tests run, before they share the cores: a build beside them delays API servers.

`make test` runs it first; where all are built it takes a second.
"""

import time

from infra.progress import SilentProgress
from simulator.controllers.known import KNOWN
from simulator.toolchain import KARPENTER, TOOLS, cached, ensure_tools
from tests.engine.toolbox import PULUMI


def main() -> None:
    """Build what is missing, one after the other, and say what."""
    for tool in (*TOOLS, KARPENTER, *(controller.tool for controller in KNOWN), PULUMI):
        if not cached(tool).is_file():
            begin = time.monotonic()
            ensure_tools(SilentProgress(), [tool])
            print(f"{tool.name} {tool.version}: {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
