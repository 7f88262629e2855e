"""The public door of the embedded environment: bring it up, look at it, take it down.

`up` makes what is wanted true, whatever it finds: nothing, a running environment, or the remains of an `up` that was
killed at any point. It can, because every step is one of two kinds: a file written whole, or a process that carries a
mark from its first moment.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from filelock import FileLock, Timeout

from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.progress import Progress
from simulator import apply, control_plane, processes
from simulator.client import Client, wait_for
from simulator.crds import custom_resource_definitions
from simulator.folders import Layout, check_name, disk_faults, state_folder
from simulator.node_objects import cordon_others, put_nodes, remove_nodes
from simulator.nodes import SimulatedNode, nodes_for
from simulator.state import ObjectKey, State
from simulator.status import EnvironmentStatus, read_nodes, read_status
from simulator.toolchain import ensure_tools
from simulator.workloads import wait_available

# kwok reports a node ready within a second; a loaded machine may need a few.
_NODES_READY_SECONDS = 60.0

_THROWAWAY = "throwaway"


@dataclass(frozen=True, slots=True)
class DownResult:
    """What `down` found. `existed` is False when there was nothing to remove."""

    name: str
    existed: bool
    stopped_processes: int


def up(name: str, manifests: Sequence[Manifest], progress: Progress, timeout: float = 120.0) -> EnvironmentStatus:
    """Bring the environment up, or an existing one to what `manifests` say now.

    Args:
        name: of the environment; 1 to 40 lower-case letters, digits and hyphens.
        manifests: the Kubernetes half of a plan, in the order to apply.
        timeout: seconds to wait for Deployments and StatefulSets.

    Raises:
        PlatformError: when pods fit nowhere, a tool cannot be built, a process ends, an object is refused, or a
            workload is not available in time. In the last two cases the environment keeps running, to be looked at.
    """
    nodes = nodes_for(manifests)  # nothing is started for a plan that cannot fit
    with disk_faults(f"bringing up {name}"), _locked(name) as layout:
        state, phases = _open(layout, progress), _Phases()
        with phases.spent("tools"):
            tools = ensure_tools(progress)
        with (
            phases.spent("control plane"),
            _stopped_on_failure(layout),
            progress.step("start the control plane") as step,
        ):
            client = control_plane.start_api(layout, state, tools, progress)
            step.advance(detail=client.server)
            control_plane.start_controllers(layout, state, tools, progress)
        with phases.spent("crds"):
            apply.apply_definitions(client, custom_resource_definitions())
        with phases.spent("nodes"):
            surplus = _bring_nodes(client, nodes, progress)
        with phases.spent("objects"):
            _bring_objects(client, layout, state, manifests, progress)
        with phases.spent("workloads"):
            wait_available(client, manifests, progress, timeout)
            if surplus:  # last, so that what the plan drops is gone and what stays has room
                remove_nodes(client, surplus)
                progress.note(f"nodes that are no longer needed were removed: {', '.join(surplus)}")
                wait_available(client, manifests, progress, timeout)
        control_plane.check_alive(layout, state)
        state.phases = phases.seconds
        state.save(layout.state)
        client.close()
        return read_status(layout, state)


def down(name: str, progress: Progress) -> DownResult:
    """Stop every process of the environment and remove what it stored. Nothing happens when there is none."""
    with disk_faults(f"taking down {name}"), _locked(name) as layout:
        existed = layout.folder.exists()
        with progress.step(f"take down {name}") as step:
            stopped = _remove(layout)
            step.advance()
        return DownResult(name, existed or stopped > 0, stopped)


def status(name: str) -> EnvironmentStatus | None:
    """What the environment is like; None when there is none.

    Raises:
        PlatformError: when its state cannot be read.
    """
    layout = Layout(state_folder() / check_name(name))
    state = State.load(layout.state)
    return read_status(layout, state) if state else None


@contextmanager
def control_plane_only(progress: Progress) -> Iterator[Client]:
    """A throw-away API server that knows the CRDs: no controllers, no nodes. Gone when the block ends.

    What a killed owner left behind is removed by the next one.
    """
    _sweep_throwaways()
    me = psutil.Process()
    layout = Layout(state_folder() / f".{_THROWAWAY}" / f"{me.pid}-{int(me.create_time())}-{time.monotonic_ns()}")
    with disk_faults("starting a throw-away control plane"):
        tools = ensure_tools(progress)
        layout.folder.mkdir(parents=True, mode=0o700)
        try:
            with progress.step("start a throw-away control plane") as step:
                client = control_plane.start_api(layout, State(), tools, progress)
                apply.apply_definitions(client, custom_resource_definitions())
                step.advance(detail=client.server)
            yield client
            client.close()
        finally:
            _remove(layout)


class _Phases:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def spent(self, phase: str) -> Iterator[None]:
        begin = time.monotonic()
        yield
        self.seconds[phase] = round(time.monotonic() - begin, 3)


@contextmanager
def _locked(name: str) -> Iterator[Layout]:
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


def _open(layout: Layout, progress: Progress) -> State:
    """The environment's state; a new one in an empty folder when there is none that is whole."""
    state = State.load(layout.state)
    if state is None:
        if _remove(layout):
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
def _stopped_on_failure(layout: Layout) -> Iterator[None]:
    """When the control plane does not come up, or Ctrl-C comes, stop what this start began; the data stays."""
    before = {process.pid for process in processes.marked(layout.folder)}
    try:
        yield
    except BaseException:
        begun = [process for process in processes.marked(layout.folder) if process.pid not in before]
        control_plane.stop(begun)
        raise


def _remove(layout: Layout) -> int:
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


def _bring_nodes(client: Client, nodes: Sequence[SimulatedNode], progress: Progress) -> list[str]:
    """Have every node ready; returns the names of those that are not wanted any more, which take no new pods."""
    for note in dict.fromkeys(note for node in nodes for note in node.notes):
        progress.note(note)
    with progress.step("create nodes", len(nodes)) as step:
        put_nodes(client, nodes, lambda node: step.advance(1, node))
    if not wait_for(lambda: all(node.ready for node in read_nodes(client)), _NODES_READY_SECONDS):
        late = ", ".join(node.name for node in read_nodes(client) if not node.ready)
        raise PlatformError(f"kwok does not report these nodes ready: {late}", "see kwok.log in the environment's logs")
    return cordon_others(client, nodes)


def _bring_objects(
    client: Client, layout: Layout, state: State, manifests: Sequence[Manifest], progress: Progress
) -> None:
    """Apply the manifests, then delete what was applied before and is not wanted any more."""

    def record(key: ObjectKey) -> None:
        if key not in state.applied:
            state.applied.append(key)
            state.save(layout.state)

    applied = apply.apply(client, manifests, progress, record)
    apply.prune(client, [key for key in state.applied if key not in applied], progress)
    state.applied = applied
    state.save(layout.state)


def _sweep_throwaways() -> None:
    """Remove throw-away control planes whose owner has died."""
    folder = state_folder() / f".{_THROWAWAY}"
    for left in folder.iterdir() if folder.is_dir() else ():
        pid, created = left.name.split("-")[:2]
        if not _lives(int(pid), int(created)):
            _remove(Layout(left))


def _lives(pid: int, created: int) -> bool:
    try:
        return int(psutil.Process(pid).create_time()) == created
    except psutil.NoSuchProcess:
        return False
