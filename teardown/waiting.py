"""Waiting with a bound, and saying what for."""

import time
from collections.abc import Callable, Sequence

Say = Callable[[str], None]

# How often the cluster is asked, and how often the same answer is said again.
_ASK_SECONDS = 2.0
_SAY_SECONDS = 30.0


class Clock:
    """Real time; tests put their own in its place."""

    def now(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        time.sleep(seconds)


def wait_until_nothing(left: Callable[[], Sequence[str]], seconds: float, say: Say, clock: Clock) -> list[str]:
    """Ask `left` until it names nothing or the time is over.

    Args:
        left: what is still there, one line each.
        seconds: the bound.
        say: told of what is left whenever that changes, and twice a minute.

    Returns:
        What was left at the last look; empty when all is gone.
    """
    deadline = clock.now() + seconds
    said: list[str] = []
    said_at = clock.now()
    while there := list(left()):
        remaining = deadline - clock.now()
        if remaining <= 0:
            return there
        if there != said or clock.now() - said_at >= _SAY_SECONDS:
            say(f"waiting for {'; '.join(there)} (at most {remaining:.0f} s more)")
            said, said_at = there, clock.now()
        clock.sleep(min(_ASK_SECONDS, remaining))
    return []
