"""Wall-clock times of processes that are run in turn, and the table they end in.

Commands that are compared run interleaved, one round after the other, so that a machine that slows down or speeds up
does it to all of them. The minimum is what the work costs; the median says how much the machine disturbed it.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one command, a number a round."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def middle(self) -> float:
        return median(self.seconds)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result.

    Attributes:
        title: what is compared with what.
        measured: the figure, from the minima.
        usual: the same figure from the medians.
        target: what it should not exceed; None when it is only reported.
        unit: `x` for a ratio, `s` for seconds.
        detail: the seconds behind it.
    """

    title: str
    measured: float
    usual: float
    target: float | None
    unit: str
    detail: str

    @property
    def verdict(self) -> str:
        """Whether the target is met. Nothing fails when it is not: a benchmark reports."""
        if self.target is None:
            return "reported"
        return "met" if self.measured <= self.target else "MISSED"


def interleaved(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Times]:
    """Seconds of each command in `rounds` rounds, after one round that only warms caches.

    Args:
        commands: argument lists by name, run from the repository root.

    Raises:
        RuntimeError: when a command fails; the message ends with what it wrote.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            spent = seconds_of(command)
            if number:
                seconds[name].append(spent)
    return {name: Times(tuple(spent)) for name, spent in seconds.items()}


def seconds_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Seconds that one process takes from start to end.

    Args:
        environment: variables beside those of this process.
    """
    begin = time.perf_counter()
    output_of(command, environment)
    return time.perf_counter() - begin


def output_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What one process writes to standard output.

    Raises:
        RuntimeError: when it fails.
    """
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as aligned text, under a heading."""
    lines = [("WHAT", "MEASURED", "MEDIAN", "TARGET", "", "SECONDS")]
    lines += [
        (
            row.title,
            f"{row.measured:.2f} {row.unit}",
            f"{row.usual:.2f} {row.unit}",
            "-" if row.target is None else f"{row.target:g} {row.unit}",
            row.verdict,
            row.detail,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
