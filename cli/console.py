"""What a person sees of long work: bars on a terminal, plain lines elsewhere. All on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from infra.progress import Step

_DETAIL_WIDTH = 48


class _BarStep:
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, amount: int = 1, detail: str = "") -> None:
        self._bars.update(self._task, advance=amount, detail=detail[:_DETAIL_WIDTH])


class ConsoleProgress:
    """An `infra.progress.Progress` on the terminal. Use it as a context manager around the work."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", style="dim"),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> "ConsoleProgress":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Step]:
        """A bar, or two lines where there is no terminal; without a total it pulses until it is done."""
        task = self._bars.add_task(title, total=total, detail="")
        if not self._console.is_terminal:
            self._console.print(f"{title} ...")
        yield _BarStep(self._bars, task)
        done = self._bars.tasks[task].completed or 1
        self._bars.update(task, total=total or done, completed=total or done, detail="")

    def note(self, text: str) -> None:
        """One line that stays."""
        self._bars.console.print(f"note: {text}")
