"""Throw-away environments, for tests and scenarios: in a folder of their own, gone when the block ends.

What a killed owner left behind is removed by the next one. An environment with Karpenter's real controller:

    with throwaway(progress, manifests, karpenter=True) as environment:
        environment.apply(more)                     # NodePools are rewritten as in `up`
        environment.client.items("/apis/karpenter.sh/v1/nodeclaims")
        environment.kubeconfig                      # for kubectl, or for a process under test
        environment.stop("karpenter-kwok")          # or kill=True; finalizers then stay
        environment.restart()                       # whatever was stopped

`manifests` decide which machines Karpenter may start: give every NodePool and EC2NodeClass that will be applied.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.progress import Progress
from simulator import apply, control_plane, processes
from simulator.bring_up import Phases, bring_objects, start
from simulator.client import Client
from simulator.controllers import Controller, WithControllers
from simulator.crds import SOURCES, custom_resource_definitions, needed
from simulator.folders import Layout, disk_faults, state_folder
from simulator.karpenter.rewriting import rewritten
from simulator.node_sources import KarpenterNodes, NodeSource, PlannedNodes, Running
from simulator.state import State
from simulator.toolchain import ensure_tools
from simulator.upkeep import remove

_FOLDER = ".throwaway"
# Pods of a scenario come one by one; a batch that waits a second for more would only make it slow.
_BATCH_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Throwaway:
    """A throw-away environment that runs.

    Attributes:
        client: administrator of its API server; for the thread that opened it, others may use it too.
        kubeconfig: the same for other programs.
        source: where its nodes come from.
    """

    running: Running
    source: NodeSource
    progress: Progress

    @property
    def client(self) -> Client:
        return self.running.client

    @property
    def kubeconfig(self) -> Path:
        return self.running.layout.kubeconfig

    def apply(self, manifests: Sequence[Manifest]) -> None:
        """Apply more objects. With Karpenter, NodePools are rewritten as in `up`."""
        if self.source.name == KarpenterNodes.name:
            manifests = rewritten(manifests)
        apply.apply(self.client, manifests, self.progress, lambda _key: None)

    def log(self, name: str) -> str:
        """What the process `name` has written so far."""
        return self.running.layout.log(name).read_text(encoding="utf-8", errors="replace")

    def stop(self, name: str, *, kill: bool = False) -> None:
        """Stop the process `name`, such as `karpenter-kwok`; killed, it cannot tidy up.

        Raises:
            PlatformError: when it does not run.
        """
        record = next((item for item in self.running.state.processes if item.name == name), None)
        process = processes.find(record) if record else None
        if process is None:
            raise PlatformError(f"{name} does not run in this environment", "see the names in simulator/toolchain.py")
        if kill:
            process.kill()
        processes.stop([process])

    def restart(self) -> None:
        """Start whatever was stopped, on the data that is there."""
        now = self.running
        control_plane.start_api(now.layout, now.state, now.tools, self.progress).close()
        control_plane.start_controllers(now.layout, now.state, now.tools, self.progress)
        self.source.begin(now, self.progress)


@contextmanager
def throwaway(
    progress: Progress,
    manifests: Sequence[Manifest] = (),
    *,
    karpenter: bool = False,
    controllers: Sequence[Controller] = (),
) -> Iterator[Throwaway]:
    """A whole throw-away environment to which `manifests` were applied; nothing is waited for.

    Args:
        karpenter: let Karpenter's controller start the nodes; else they are those the manifests' pods need.
        controllers: operators' controllers to run beside it, built where they are not.

    Raises:
        PlatformError: as `environment.up`.
    """
    nodes = KarpenterNodes(manifests, _BATCH_SECONDS) if karpenter else PlannedNodes(manifests)
    source = WithControllers(nodes, controllers)
    with _folder() as layout:
        state = State(nodes_from=source.name)
        running = start(layout, state, source, progress, Phases())
        bring_objects(running, source, progress)
        yield Throwaway(running, source, progress)
        running.client.close()


@contextmanager
def control_plane_only(progress: Progress) -> Iterator[Client]:
    """A throw-away API server: no controllers, no nodes, and the CRDs of every environment.

    `apply.dry_run` brings those of the operators that its manifests use: all of them are a gigabyte to the server.
    """
    with _folder() as layout:
        tools = ensure_tools(progress)
        with progress.step("start a throw-away control plane") as step:
            client = control_plane.start_api(layout, State(), tools, progress)
            apply.apply_definitions(client, custom_resource_definitions(needed(SOURCES, ())))
            step.advance(detail=client.server)
        yield client
        client.close()


@contextmanager
def _folder() -> Iterator[Layout]:
    """A folder named after its owner, so that others see whether that still lives."""
    _sweep()
    me = psutil.Process()
    layout = Layout(state_folder() / _FOLDER / f"{me.pid}-{int(me.create_time())}-{time.monotonic_ns()}")
    with disk_faults("starting a throw-away control plane"):
        layout.folder.mkdir(parents=True, mode=0o700)
        try:
            yield layout
        finally:
            remove(layout)


def _sweep() -> None:
    """Remove throw-away environments whose owner has died."""
    folder = state_folder() / _FOLDER
    for left in folder.iterdir() if folder.is_dir() else ():
        pid, created = left.name.split("-")[:2]
        if not _lives(int(pid), int(created)):
            remove(Layout(left))


def _lives(pid: int, created: int) -> bool:
    try:
        return int(psutil.Process(pid).create_time()) == created
    except psutil.NoSuchProcess:
        return False
