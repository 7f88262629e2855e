"""Starting and stopping the environment's processes, so that none is ever lost or mistaken for another.

A process is found again in two ways. The state file holds its pid and start time. And every process carries the folder
of its environment in its own environment variables from the moment it exists, so one that was started just before its
starter was killed, and is in no file, is found all the same.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from infra.errors import PlatformError
from simulator.state import ProcessRecord

_MARKER = "GPU_PLATFORM_ENVIRONMENT_FOLDER"

# psutil rounds start times to clock ticks (10 ms on Linux); a second covers every platform it knows.
_SAME_START_SECONDS = 1.0

# After SIGTERM a process gets this long. The API server needs one second here; a controller that has only just begun
# does not listen to SIGTERM yet, and none of them has anything to lose.
_GRACE_SECONDS = 3.0
# After SIGKILL only the kernel is waited for.
_KILLED_SECONDS = 5.0


def start(
    name: str, command: Sequence[str], folder: Path, log: Path, variables: Mapping[str, str] | None = None
) -> ProcessRecord:
    """Start a process in a session of its own, so that the terminal's Ctrl-C does not reach it.

    Args:
        name: the tool's name.
        folder: the environment's folder; marks the process as belonging to it.
        log: file that gets its output; that of the run before is kept beside it as `.previous`.
        variables: environment variables it gets besides.

    Raises:
        PlatformError: when the binary cannot be run.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".previous"))
    # The home is the folder too: kwok would read a configuration in the user's.
    environment = {**_passed_on(), **(variables or {}), "HOME": str(folder), _MARKER: str(folder)}
    try:
        with log.open("wb") as output:
            child = subprocess.Popen(
                list(command),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except (FileNotFoundError, PermissionError) as error:
        raise PlatformError(
            f"{name} cannot be run: {error.strerror}", "delete the tools in the cache folder; they are built again"
        ) from error
    child.returncode = 0  # it outlives this command on purpose; keeps Popen from warning that it still runs
    return ProcessRecord(name, child.pid, _start_time(child.pid), tuple(command))


def _passed_on() -> dict[str, str]:
    """The caller's variables without proxies and cluster settings: every server here is on this machine."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.lower().endswith("_proxy") and not key.startswith(("KUBE", "ETCD_", "KWOK_", "AWS_", "PULUMI_"))
    }


def _start_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0  # gone already; no living process began then, so it reads as dead


def find(record: ProcessRecord) -> psutil.Process | None:
    """The living process of `record`; None when it ended, even when another one has its pid now."""
    try:
        process = psutil.Process(record.pid)
        if abs(process.create_time() - record.created) > _SAME_START_SECONDS or _is_zombie(process):
            return None
    except psutil.NoSuchProcess:
        return None
    return process


def _is_zombie(process: psutil.Process) -> bool:
    """Whether it ended and only waits for its parent; reaps it when the parent is this process."""
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return False
    except psutil.NoSuchProcess:
        return True
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return True


def marked(folder: Path) -> list[psutil.Process]:
    """Every living process that was started for the environment in `folder`, recorded or not."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(_MARKER) == str(folder) and not _is_zombie(process):
                found.append(process)
    return found


def stop(processes: Iterable[psutil.Process]) -> None:
    """Ask all of them to end, and wait until they are gone; those that do not end in time are killed.

    Raises:
        PlatformError: when a process survives SIGKILL (it hangs in the kernel, on a dead disk for example).
    """
    left = list(processes)
    for send, seconds in (("terminate", _GRACE_SECONDS), ("kill", _KILLED_SECONDS)):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(process, send)()
        left = _still_there(left, seconds)
    if left:
        raise PlatformError(
            f"process {left[0].pid} does not end, not even when killed",
            "see what it waits for, end it, then run the command again",
        )


def _still_there(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that have not ended after `seconds`. A zombie has: it holds no port, and its parent may reap it late."""
    deadline = time.monotonic() + seconds
    while True:
        processes = [process for process in processes if process.is_running() and not _is_zombie(process)]
        if not processes or time.monotonic() > deadline:
            return processes
        time.sleep(0.01)


def last_words(log: Path, count: int = 8) -> str:
    """The end of a log without Go's stack traces, indented, for an error message; empty when there is no log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 65_536))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line for part in text.split("\n\n") if not part.startswith("goroutine ") for line in part.splitlines()]
    return "\n".join(f"    {line[:300]}" for line in lines[-count:])
