"""The component package as a plugin: Pulumi starts this folder for programs in any language."""

import sys
from pathlib import Path


def host() -> None:
    """Serve the components until the engine ends the process.

    This is what `component_provider_host` does, with our provider in place of its own: that one hands whole numbers on
    as floats.
    """
    # Python puts the folder of this file first on the path, and its sub-folders would be importable by bare names.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    import pulumi.provider

    from components.package import provider

    pulumi.provider.main(provider(), sys.argv[1:])


if __name__ == "__main__":
    host()
