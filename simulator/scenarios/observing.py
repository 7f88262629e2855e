"""What a scenario sees and what it promises: lines with their time, and an error when a promise is broken."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from infra.errors import PlatformError
from simulator.client import until

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was seen, `seconds` after the scenario began."""

    seconds: float
    text: str

    def __str__(self) -> str:
        return f"{self.seconds:5.1f} s  {self.text}"


class BrokenPromiseError(PlatformError):
    """What a scenario promises did not come true.

    Attributes:
        expected: what should have been seen.
        seen: what was.
    """

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"the promise is broken\n  expected  {expected}\n  saw       {seen}")
        self.expected = expected
        self.seen = seen


@dataclass(slots=True)
class Observations:
    """The story of one run.

    Attributes:
        tell: called with each observation at once, so that a person can follow.
    """

    tell: Callable[[Observation], None]
    began: float = field(default_factory=time.monotonic)
    seen: list[Observation] = field(default_factory=list)

    def saw(self, text: str) -> None:
        """Note what was seen."""
        observation = Observation(round(time.monotonic() - self.began, 1), text)
        self.seen.append(observation)
        self.tell(observation)

    def promise(self, expected: str, holds: bool, seen: str) -> None:
        """Note `expected` as seen when it holds.

        Raises:
            BrokenPromiseError: when it does not.
        """
        if not holds:
            raise BrokenPromiseError(expected, seen)
        self.saw(expected)

    def await_that(
        self, expected: str, look: Callable[[], Found | None], seconds: float, seen: Callable[[], str]
    ) -> Found:
        """Wait until `look` finds something, and return it.

        Args:
            expected: what is waited for.
            seen: says, when time is up, what there is instead.

        Raises:
            BrokenPromiseError: when nothing is found in time.
        """
        for _ in until(time.monotonic() + seconds):
            found = look()
            if found:
                return found
        raise BrokenPromiseError(f"{expected} within {seconds:.0f} s", seen())

    def stays_away(self, unwanted: Callable[[], bool], seconds: float) -> bool:
        """Whether `unwanted` stays false for that long."""
        return not any(unwanted() for _ in until(time.monotonic() + seconds))
