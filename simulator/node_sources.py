"""Where an environment's nodes come from: the plan, worked out beforehand, or Karpenter's controller.

`up` calls the steps of a source in the order they stand in `NodeSource`. The planned nodes are the default: they need
no further build, and a plan whose pods fit nowhere is refused before anything starts. With Karpenter everything is
applied first; pods are pending, and the real controller starts nodes for them from the program's NodePools.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infra.conventions import KARPENTER_PREFERENCE_POLICY
from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.progress import Progress
from simulator.client import Client, wait_for
from simulator.control_plane import Start, start_operator
from simulator.crds import KARPENTER_SOURCE, SOURCES, CrdSource
from simulator.folders import Layout, write_whole
from simulator.karpenter.devices import DividedDevices
from simulator.karpenter.instance_types import instance_types_file
from simulator.karpenter.pools import await_pools
from simulator.karpenter.rewriting import changes, rewritten
from simulator.karpenter.startup_taints import StartupTaints
from simulator.node_objects import cordon_others, put_nodes, remove_nodes
from simulator.nodes import nodes_for
from simulator.state import ObjectKey, State
from simulator.status import read_nodes
from simulator.toolchain import KARPENTER, TOOLS, Tool

# kwok reports a node ready within a second; a loaded machine may need a few.
_NODES_READY_SECONDS = 60.0
# A group's followers come after its leader, within a second. What is not placed by then is told with the workloads.
_GROUPS_PLACED_SECONDS = 10.0
_IN_A_GROUP = "leaderworkerset.sigs.k8s.io/name"


@dataclass(frozen=True, slots=True)
class Running:
    """A control plane that runs, as a source needs it."""

    layout: Layout
    state: State
    tools: Mapping[str, Path]
    client: Client


class NodeSource(Protocol):
    """One way to have nodes.

    Attributes:
        name: as the environment's state records it.
        tools: binaries that the environment needs.
        definitions: CRDs that it needs.
    """

    name: str
    tools: Sequence[Tool]
    definitions: Sequence[CrdSource]

    def manifests(self) -> Sequence[Manifest]:
        """What is applied: the plan's manifests, changed where the source must."""

    def begin(self, running: Running, progress: Progress) -> None:
        """Before the objects are applied; the CRDs are there."""

    def before(self, key: ObjectKey, running: Running) -> None:
        """Before each object of the manifests is applied."""

    def settle(self, running: Running) -> None:
        """Once the NodePools are applied, before pods are."""

    def tend(self, running: Running, progress: Progress) -> None:
        """Again and again while workloads are waited for."""

    def finish(self, running: Running, progress: Progress) -> bool:
        """Once the workloads are there; True when they must be waited for again."""


class PlannedNodes:
    """The nodes that `infra.planning.placement` works out from the plan.

    Raises:
        PlatformError: at once, when pods of the manifests fit on no NodePool.
    """

    name = "plan"
    tools: Sequence[Tool] = TOOLS
    definitions: Sequence[CrdSource] = SOURCES

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        # Groups first: all pods of one need machines of one zone, and no Karpenter starts another there.
        self._manifests = sorted(manifests, key=lambda item: item.kind == "Deployment")
        self._grouped = sum(_pods_of_group(item) for item in manifests)
        self._nodes = nodes_for(manifests)
        self._surplus: list[str] = []

    def manifests(self) -> Sequence[Manifest]:
        return self._manifests

    def begin(self, running: Running, progress: Progress) -> None:
        """Have every node ready; those that are not wanted any more take no new pods."""
        client = running.client
        for note in dict.fromkeys(note for node in self._nodes for note in node.notes):
            progress.note(note)
        with progress.step("create nodes", len(self._nodes)) as step:
            put_nodes(client, self._nodes, lambda node: step.advance(1, node))
        if not wait_for(lambda: all(node.ready for node in read_nodes(client)), _NODES_READY_SECONDS):
            late = ", ".join(node.name for node in read_nodes(client) if not node.ready)
            raise PlatformError(
                f"kwok does not report these nodes ready: {late}", "see kwok.log in the environment's logs"
            )
        self._surplus = cordon_others(client, self._nodes)

    def before(self, key: ObjectKey, running: Running) -> None:
        """The nodes are there already; groups choose theirs before all else does."""
        if key.kind == "Deployment" and self._grouped:
            pods = running.client.path("v1", "Pod")
            wait_for(
                lambda: (
                    sum("nodeName" in pod["spec"] for pod in running.client.items(pods, labelSelector=_IN_A_GROUP))
                    >= self._grouped
                ),
                _GROUPS_PLACED_SECONDS,
            )
            self._grouped = 0

    def settle(self, running: Running) -> None:
        """The nodes are there already."""

    def tend(self, running: Running, progress: Progress) -> None:
        """Nodes made from the plan need no care."""

    def finish(self, running: Running, progress: Progress) -> bool:
        """Remove what is not wanted: last, so that what the plan drops is gone and what stays has room."""
        if self._surplus:
            remove_nodes(running.client, self._surplus)
            progress.note(f"nodes that are no longer needed were removed: {', '.join(self._surplus)}")
        return bool(self._surplus)


class KarpenterNodes:
    """The nodes that Karpenter's controller starts, with its kwok provider, for the pods that are pending.

    Args:
        manifests: the plan's; the machines that may be started follow from its NodePools and classes.
        batch_seconds: how long the controller waits for further pods before it decides (`BATCH_IDLE_DURATION`).
    """

    name = "karpenter"
    tools: Sequence[Tool] = (*TOOLS, KARPENTER)
    definitions: Sequence[CrdSource] = (*SOURCES, KARPENTER_SOURCE)

    def __init__(self, manifests: Sequence[Manifest], batch_seconds: float = 1.0) -> None:
        self._plan = manifests
        self._batch_seconds = batch_seconds
        self._taints = StartupTaints(manifests)
        self._devices = DividedDevices(manifests)
        self._unsettled = {manifest.name for manifest in manifests if manifest.kind == "NodePool"}
        self._applied: set[str] = set()

    def manifests(self) -> Sequence[Manifest]:
        return rewritten(self._plan)

    def begin(self, running: Running, progress: Progress) -> None:
        """Say what was rewritten, and start the controller."""
        for change in changes(self._plan):
            progress.note(str(change))
        with progress.step("start Karpenter") as step:
            start_operator(self.start(running.layout), running.layout, running.state, running.tools, progress)
            step.advance()

    def start(self, layout: Layout) -> Start:
        """How the controller is started. It reads the instance types once, so other types are another file."""
        text = instance_types_file(self._plan)
        file = layout.folder / f"instance-types-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        if not file.exists():
            write_whole(file, text)
        gates = {
            "ReservedCapacity": True,
            "StaticCapacity": any(
                (item.body.get("spec") or {}).get("replicas") for item in self._plan if item.kind == "NodePool"
            ),
            "NodeOverlay": any(item.kind == "NodeOverlay" for item in self._plan),
        }
        arguments = (
            f"--instance-types-file-path={file}",
            "--disable-leader-election=true",  # it is alone
            f"--batch-idle-duration={self._batch_seconds}s",
            f"--batch-max-duration={self._batch_seconds * 10}s",  # ten times the idle time, as by default
            f"--preference-policy={KARPENTER_PREFERENCE_POLICY}",
            f"--feature-gates={','.join(f'{gate}={str(on).lower()}' for gate, on in gates.items())}",
        )
        return Start(KARPENTER.name, arguments, {"KUBECONFIG": str(layout.kubeconfig)})

    def before(self, key: ObjectKey, running: Running) -> None:
        """Settle after the last NodePool."""
        if key.kind == "NodePool":
            self._applied.add(key.name)
        elif self._unsettled <= self._applied:
            self.settle(running)

    def settle(self, running: Running) -> None:
        """Wait until the controller takes every pool.

        A pod that came before would get a node of whichever pool was ready first, whatever the weights, or wait for
        the controller's next look ten seconds later.
        """
        if self._unsettled:
            await_pools(running.client, self._unsettled)
            self._unsettled = set()

    def tend(self, running: Running, progress: Progress) -> None:
        """On nodes that have joined, report the devices of divided GPUs, then lift startup taints."""
        self._devices.report(running.client, progress)
        self._taints.lift(running.client, progress)

    def finish(self, running: Running, progress: Progress) -> bool:  # noqa: ARG002 - the protocol's
        """Nothing: the controller itself takes away what is not needed."""
        return False


def _pods_of_group(item: Manifest) -> int:
    """Pods of a LeaderWorkerSet; none of anything else."""
    if item.kind != "LeaderWorkerSet":
        return 0
    return int(item.body["spec"].get("replicas", 1)) * int(item.body["spec"]["leaderWorkerTemplate"].get("size", 1))


def node_source(manifests: Sequence[Manifest], karpenter: bool) -> NodeSource:
    """The source that the user chose.

    Raises:
        PlatformError: for planned nodes, when pods fit nowhere.
    """
    return KarpenterNodes(manifests) if karpenter else PlannedNodes(manifests)
