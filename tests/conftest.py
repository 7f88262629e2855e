"""What every test may ask for: the paths, the environments, and golden files with their one way to be updated.

`pytest --update-golden` rewrites every golden file that differs; the diff is then reviewed like any other change.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from infra.settings import StackFile, load_stack_file
from tests.embedded import control_plane, listener, state_root

__all__ = ["control_plane", "listener", "state_root"]  # fixtures

# An f-string on an Output would print a warning and go on; here it raises.
os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "1"

# Two tests at once on two busy cores: how long one example takes says nothing of the code.
settings.register_profile("gpu-platform", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gpu-platform")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
ENVIRONMENTS = ("local", "dev", "staging", "prod")

Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files that differ")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The material beside the repository; a test that needs it is skipped where there is none."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the repository")
    return SHARED


@pytest.fixture(params=ENVIRONMENTS)
def env(request: pytest.FixtureRequest) -> str:
    """Each committed environment in turn."""
    return str(request.param)


@pytest.fixture
def stack(env: str) -> StackFile:
    """The stack file of each committed environment in turn."""
    return load_stack_file(ROOT / f"Pulumi.{env}.yaml", shown_as=f"Pulumi.{env}.yaml")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare text with a golden file, or write it when the run was started with --update-golden."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path.relative_to(ROOT)} is missing; write it with: pytest --update-golden"
        assert text == path.read_text(encoding="utf-8"), f"not as in {path.relative_to(ROOT)}"

    return compare
