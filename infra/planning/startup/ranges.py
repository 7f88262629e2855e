"""Ranges of seconds, and how throughputs make them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration between its fast and its slow end, with the figures it was made from.

    Attributes:
        low, high: in seconds.
        sources: keys of the figures' sources.
    """

    low: float
    high: float
    sources: tuple[str, ...] = ()

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.low + other.low, self.high + other.high, merged(self.sources, other.sources))

    @property
    def spread(self) -> float:
        """High over low."""
        return self.high / self.low

    def holds(self, seconds: float) -> bool:
        """Whether a measured time is inside."""
        return self.low <= seconds <= self.high

    def __str__(self) -> str:
        return f"{self.low:.0f} to {self.high:.0f} s"


@dataclass(frozen=True, slots=True)
class Rate:
    """A throughput in MiB/s between its slow and its fast end."""

    slow: float
    fast: float
    sources: tuple[str, ...] = ()

    def seconds(self, mib: float) -> Seconds:
        """Time for so many MiB."""
        return Seconds(mib / self.fast, mib / self.slow, self.sources)

    def shared(self, readers: float) -> "Rate":
        """What one of several readers at a time gets."""
        return Rate(self.slow / readers, self.fast / readers, self.sources)


def slowest(rates: Iterable[Rate]) -> Rate:
    """Several limits at once: at each end the narrowest one holds."""
    known = list(rates)
    return Rate(
        min(rate.slow for rate in known),
        min(rate.fast for rate in known),
        merged(*(rate.sources for rate in known)),
    )


def merged(*sources: tuple[str, ...]) -> tuple[str, ...]:
    """All sources once, in order of appearance."""
    return tuple(dict.fromkeys(source for group in sources for source in group))
