"""How long work tells what it is doing, without knowing who listens.

The command line shows bars (`cli/console.py`), tests and machines stay silent.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Step(Protocol):
    """One step under way."""

    def advance(self, amount: int = 1, detail: str = "") -> None:
        """Count `amount` units done; `detail` says what is in hand, such as the object being applied."""


class Progress(Protocol):
    """Somebody who listens to steps."""

    def step(self, title: str, total: int | None = None) -> AbstractContextManager[Step]:
        """Open a step; `total` is its number of units, None when it cannot be counted."""

    def note(self, text: str) -> None:
        """Say one line that stays, such as what was repaired."""


class _SilentStep:
    def advance(self, amount: int = 1, detail: str = "") -> None:
        pass


class SilentProgress:
    """A `Progress` that says nothing."""

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Step]:  # noqa: ARG002 - the protocol's
        yield _SilentStep()

    def note(self, text: str) -> None:
        pass
