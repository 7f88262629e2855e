"""The steps that bring any environment up, a user's or a throw-away one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from infra.progress import Progress
from simulator import apply, control_plane
from simulator.crds import custom_resource_definitions, needed
from simulator.folders import Layout
from simulator.node_sources import NodeSource, Running
from simulator.state import ObjectKey, State
from simulator.toolchain import ensure_tools
from simulator.upkeep import stopped_on_failure


class Phases:
    """Seconds spent, by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def spent(self, phase: str) -> Iterator[None]:
        begin = time.monotonic()
        yield
        self.seconds[phase] = round(time.monotonic() - begin, 3)


def start(layout: Layout, state: State, source: NodeSource, progress: Progress, phases: Phases) -> Running:
    """Have the control plane, its CRDs and the source of nodes at work; the objects come next.

    Raises:
        PlatformError: when a tool cannot be built or a process does not come up.
    """
    with phases.spent("tools"):
        tools = ensure_tools(progress, source.tools)
    with phases.spent("control plane"), stopped_on_failure(layout), progress.step("start the control plane") as step:
        client = control_plane.start_api(layout, state, tools, progress)
        step.advance(detail=client.server)
        control_plane.start_controllers(layout, state, tools, progress)
    with phases.spent("crds"):
        sources = needed(source.definitions, source.manifests())
        apply.apply_definitions(client, custom_resource_definitions(sources))
    running = Running(layout, state, tools, client)
    with phases.spent("nodes"):
        source.begin(running, progress)
    return running


def bring_objects(running: Running, source: NodeSource, progress: Progress) -> None:
    """Apply what the source of nodes makes of the plan, then delete what was applied before and is not wanted now."""
    state, path = running.state, running.layout.state

    def record(key: ObjectKey) -> None:
        source.before(key, running)
        if key not in state.applied:
            state.applied.append(key)
            state.save(path)

    applied = apply.apply(running.client, source.manifests(), progress, record)
    source.settle(running)
    apply.prune(running.client, [key for key in state.applied if key not in applied], progress)
    state.applied = applied
    state.save(path)
