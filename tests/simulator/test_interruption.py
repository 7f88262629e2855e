"""`up` cut short: by Ctrl-C, by a kill at any point, by another `up` at the same time."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from infra.errors import PlatformError
from infra.progress import Step
from simulator.environment import control_plane_only, down, up
from tests.embedded import Listener, processes_in
from tests.simulator.manifests import small_plan

ROOT = Path(__file__).parents[2]

# Each kills the process that runs `up`, without any chance to tidy, a little later than the one before.
KILL_POINTS = {
    "state file unwritten": "before(os, 'open', 1)",
    "certificates half made": "before(certificates, '_leaf', 2)",
    # Between the birth of a process and its record: the state file does not know it.
    "third process unrecorded": "after(processes, 'start', 3)",
    "objects half applied": "before(apply, '_apply_one', 3)",
}

SCRIPT = """
    import os, signal, sys
    from infra.progress import SilentProgress
    from simulator import apply, certificates, environment, processes
    from tests.simulator.manifests import small_plan

    def after(place, name, count):
        real, calls = getattr(place, name), []
        def wrapped(*args, **kwargs):
            result = real(*args, **kwargs)
            calls.append(1)
            if len(calls) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        setattr(place, name, wrapped)

    def before(place, name, count):
        real, calls = getattr(place, name), []
        def wrapped(*args, **kwargs):
            calls.append(1)
            if len(calls) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)
        setattr(place, name, wrapped)

    {point}
    environment.up("cut", small_plan(), SilentProgress())
"""


def killed_up(point: str) -> None:
    script = textwrap.dedent(SCRIPT).format(point=KILL_POINTS[point])
    result = subprocess.run([sys.executable, "-c", script], env=python_here(), capture_output=True, check=False)
    assert result.returncode == -signal.SIGKILL, result.stderr.decode()


def python_here() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def test_every_up_repairs_what_the_killed_one_before_it_left(state_root: Path, listener: Listener) -> None:
    for point in KILL_POINTS:
        killed_up(point)
    repaired = up("cut", small_plan(), listener)

    assert repaired.is_running
    assert [pod.ready for pod in repaired.pods] == [True] * 2
    folder = state_root / "cut"
    assert {process.pid for process in processes_in(folder)} == {process.pid for process in repaired.processes}
    down("cut", listener)
    assert processes_in(folder) == []
    assert not folder.exists()


def test_down_alone_cleans_up_after_a_killed_up(state_root: Path, listener: Listener) -> None:
    killed_up("third process unrecorded")
    assert len(processes_in(state_root / "cut")) == 3

    result = down("cut", listener)

    assert result.stopped_processes == 3
    assert processes_in(state_root / "cut") == []


class _Interrupted(Listener):
    """Presses Ctrl-C when the control plane is up and its controllers are about to start."""

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Step]:
        with super().step(title, total) as step:
            yield step
        if title == "start the control plane":
            raise KeyboardInterrupt


def test_ctrl_c_stops_what_was_begun_and_the_next_up_works(state_root: Path, listener: Listener) -> None:
    with pytest.raises(KeyboardInterrupt):
        up("interrupted", small_plan(), _Interrupted())
    assert processes_in(state_root / "interrupted") == []

    assert up("interrupted", small_plan(), listener).is_running
    down("interrupted", listener)


def test_a_second_command_at_the_same_time_is_refused(state_root: Path, listener: Listener) -> None:
    (state_root / ".locks").mkdir(exist_ok=True)
    with (
        FileLock(state_root / ".locks" / "busy.lock"),
        pytest.raises(PlatformError, match="another command is at work on the environment busy"),
    ):
        up("busy", small_plan(), listener)


def test_an_unreadable_state_is_explained_and_down_still_removes_it(state_root: Path, listener: Listener) -> None:
    up("spoiled", small_plan(1), listener)
    (state_root / "spoiled" / "state.json").write_text("{")

    with pytest.raises(PlatformError, match="cannot be read"):
        up("spoiled", small_plan(1), listener)
    assert down("spoiled", listener).stopped_processes == 5
    assert processes_in(state_root / "spoiled") == []


def test_a_throwaway_whose_owner_was_killed_is_swept_by_the_next(state_root: Path, listener: Listener) -> None:
    script = """
        import os, signal
        from infra.progress import SilentProgress
        from simulator.environment import control_plane_only
        with control_plane_only(SilentProgress()):
            os.kill(os.getpid(), signal.SIGKILL)
    """
    before = {process.pid for process in processes_in(state_root)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=python_here(), check=False)
    assert len({process.pid for process in processes_in(state_root)} - before) == 2

    with control_plane_only(listener):
        pass

    assert {process.pid for process in processes_in(state_root)} == before
