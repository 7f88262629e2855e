"""The Pulumi CLI, built once from its Go module."""

from pathlib import Path

from infra.progress import SilentProgress
from simulator.toolchain import Tool, ensure_tools

MODULES = Path(__file__).parent / "modules"
_MODULE = "github.com/pulumi/pulumi/pkg/v3"

# The Automation API asks the CLI for its version, and the CLI knows it from its linker only.
_STAMP = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}"

PULUMI = Tool("pulumi", "pulumi-cli", _MODULE, f"{_MODULE}/cmd/pulumi", ("version",), (_STAMP,), MODULES)


def pulumi_cli() -> Path:
    """The binary; the first call on a machine builds it, which takes about three minutes."""
    return ensure_tools(SilentProgress(), [PULUMI])["pulumi"]
