"""The folder of an environment: who may work in it, what is found there, how it goes away."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from infra.errors import PlatformError
from infra.progress import Progress
from simulator import control_plane, processes
from simulator.folders import Layout, check_name, state_folder
from simulator.state import State


@contextmanager
def locked(name: str) -> Iterator[Layout]:
    """One command at a time for one environment. The lock ends with its holder, even when that is killed."""
    layout = Layout(state_folder() / check_name(name))
    locks = state_folder() / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(locks / f"{name}.lock", timeout=1):
            yield layout
    except Timeout:
        raise PlatformError(
            f"another command is at work on the environment {name}", "wait until it ends, then run this one again"
        ) from None


def open_state(layout: Layout, progress: Progress) -> State:
    """The environment's state; a new one in an empty folder when there is none that is whole."""
    state = State.load(layout.state)
    if state is None:
        if remove(layout):
            progress.note("processes of an interrupted start were found and stopped")
        layout.folder.mkdir(parents=True, mode=0o700)
        state = State()
        state.save(layout.state)
    known = {record.pid for record in state.processes if processes.find(record)}
    strays = [process for process in processes.marked(layout.folder) if process.pid not in known]
    if strays:
        control_plane.stop(strays)
        progress.note("processes of an interrupted start were found and stopped")
    return state


@contextmanager
def stopped_on_failure(layout: Layout) -> Iterator[None]:
    """When the control plane does not come up, or Ctrl-C comes, stop what this start began; the data stays."""
    before = {process.pid for process in processes.marked(layout.folder)}
    try:
        yield
    except BaseException:
        begun = [process for process in processes.marked(layout.folder) if process.pid not in before]
        control_plane.stop(begun)
        raise


def remove(layout: Layout) -> int:
    """Stop and delete everything; returns how many processes there were.

    The state file goes first, so that half a folder is never taken for an environment.
    """
    try:
        state = State.load(layout.state) or State()
    except PlatformError:
        state = State()  # the mark finds the processes without it
    stopped = control_plane.stop_all(layout, state)
    layout.state.unlink(missing_ok=True)
    if layout.folder.exists():
        shutil.rmtree(layout.folder)
    return stopped
