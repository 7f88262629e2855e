"""The public door of the embedded environment: bring it up, look at it, take it down.

`up` makes what is wanted true, whatever it finds: nothing, a running environment, or the remains of an `up` that was
killed at any point. It can, because every step is one of two kinds: a file written whole, or a process that carries a
mark from its first moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.progress import Progress
from simulator import control_plane
from simulator.bring_up import Phases, bring_objects, start
from simulator.controllers.known import accompanied
from simulator.folders import Layout, check_name, disk_faults, state_folder
from simulator.node_sources import NodeSource, node_source
from simulator.state import State
from simulator.status import EnvironmentStatus, read_status
from simulator.throwaway import Throwaway, control_plane_only, throwaway
from simulator.upkeep import locked, open_state, remove
from simulator.workloads import wait_available

__all__ = ["DownResult", "Throwaway", "control_plane_only", "down", "status", "throwaway", "up"]


@dataclass(frozen=True, slots=True)
class DownResult:
    """What `down` found. `existed` is False when there was nothing to remove."""

    name: str
    existed: bool
    stopped_processes: int


def up(
    name: str, manifests: Sequence[Manifest], progress: Progress, timeout: float = 120.0, *, karpenter: bool = False
) -> EnvironmentStatus:
    """Bring the environment up, or an existing one to what `manifests` say now.

    Args:
        name: of the environment; 1 to 40 lower-case letters, digits and hyphens.
        manifests: the Kubernetes half of a plan, in the order to apply.
        timeout: seconds to wait for Deployments and StatefulSets.
        karpenter: let Karpenter's controller start the nodes, instead of working them out from the plan.

    Raises:
        PlatformError: when pods fit nowhere, a tool cannot be built, a process ends, an object is refused, or a
            workload is not available in time. In the last two cases the environment keeps running, to be looked at.
    """
    source = accompanied(node_source(manifests, karpenter), manifests)  # nothing is started for a plan that cannot fit
    with disk_faults(f"bringing up {name}"), locked(name) as layout:
        state, phases = open_state(layout, progress), Phases()
        _claim(name, state, source)
        running = start(layout, state, source, progress, phases)
        with phases.spent("objects"):
            bring_objects(running, source, progress)
        with phases.spent("workloads"):
            wait_available(running.client, manifests, progress, timeout, lambda: source.tend(running, progress))
            if source.finish(running, progress):
                wait_available(running.client, manifests, progress, timeout)
        control_plane.check_alive(layout, state)
        state.phases = phases.seconds
        state.save(layout.state)
        running.client.close()
        return read_status(layout, state)


def down(name: str, progress: Progress) -> DownResult:
    """Stop every process of the environment and remove what it stored. Nothing happens when there is none."""
    with disk_faults(f"taking down {name}"), locked(name) as layout:
        existed = layout.folder.exists()
        with progress.step(f"take down {name}") as step:
            stopped = remove(layout)
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


def _claim(name: str, state: State, source: NodeSource) -> None:
    """Record where the nodes come from; nodes of the other kind would stay without anybody who looks after them."""
    if state.processes and state.nodes_from != source.name:
        how = {"plan": "without --karpenter", "karpenter": "with --karpenter"}
        raise PlatformError(
            f"the environment {name} was brought up {how[state.nodes_from]}",
            f"run it {how[state.nodes_from]} again, or `gpu-platform down` first",
        )
    state.nodes_from = source.name
