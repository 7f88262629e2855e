"""Fixtures of the embedded environment for all tests: a state folder that no user has, and one control plane.

`tests/conftest.py` takes them in, so that there is one of each in a run (in each worker, when there are several).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra.progress import SilentProgress
from simulator.client import Client
from simulator.environment import control_plane_only, down


class Listener(SilentProgress):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def processes_in(folder: Path) -> list[psutil.Process]:
    """Living processes that name `folder` in their command line; looks with other eyes than the code under test."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(f"{folder}/" in word for word in words):
            found.append(process)
    return found


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@pytest.fixture(scope="session", autouse=True)
def state_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder that no user has; whatever a test leaves running in it fails the session."""
    root = tmp_path_factory.mktemp("state")
    with _variable("GPU_PLATFORM_STATE", str(root)):
        yield root
        for folder in root.iterdir():
            if not folder.name.startswith("."):
                down(folder.name, SilentProgress())
    assert processes_in(root) == []


@pytest.fixture(scope="session")
def control_plane(state_root: Path) -> Iterator[Client]:
    """A throw-away API server with the CRDs of the operators."""
    del state_root
    with control_plane_only(SilentProgress()) as client:
        yield client


@pytest.fixture
def listener() -> Listener:
    return Listener()
