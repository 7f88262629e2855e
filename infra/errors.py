"""The errors a user may see. Each says where, what was found, what is accepted and how to mend it.

The command line maps them to exit codes: `PlatformError` is 1 (the work failed), `InputError` is 2 (the input is at
fault). Anything else that escapes is a defect of this project.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class PlatformError(Exception):
    """Something failed that the user can understand and act on.

    Args:
        message: what failed, in one sentence.
        mend: what the user can do about it.
    """

    exit_code = 1

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}\n  mend      {self.mend}" if self.mend else self.message


def printable(text: str) -> str:
    """`text` with every character that a terminal would not print written as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the input.

    Attributes:
        path: where, as a YAML path inside the platform settings, such as `models[0].tensorParallel`; empty: the file.
        found: what stands there, already shown as text.
        accepted: what would be accepted.
        mend: what to change.
        file: the file it came from; empty when the settings did not come from a file.
        line: 1-based line in that file, 0 when it is not known.
        keys: the path as keys and indices, where a text cannot tell them apart; empty when `path` says it all.
    """

    path: str
    found: str
    accepted: str
    mend: str
    file: str = ""
    line: int = 0
    keys: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        """No line break or terminal sequence of a stranger's file reaches the screen."""
        for name in ("path", "found", "accepted", "mend", "file"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def __str__(self) -> str:
        place = self.file + (f":{self.line}" if self.line else "")
        head = " ".join(part for part in (place, self.path) if part)
        return f"{head}\n  found     {self.found}\n  accepted  {self.accepted}\n  mend      {self.mend}"

    def as_json(self) -> dict[str, Any]:
        """The problem as a JSON object for machines."""
        return {
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "found": self.found,
            "accepted": self.accepted,
            "mend": self.mend,
        }


class InputError(PlatformError):
    """The input is wrong; carries every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem], subject: str = "the settings") -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        summary = f"{count} problem{'s' if count != 1 else ''} in {subject}"
        super().__init__("\n".join([*(str(problem) for problem in self.problems), summary]))
