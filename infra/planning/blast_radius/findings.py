"""What is said of a change: findings with their measures, and the sum of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from infra.plan.records import PlannedResource
from infra.planning.blast_radius.changes import FieldChange
from infra.planning.blast_radius.durations import NOTHING, Range
from infra.planning.blast_radius.rules import Effect


@dataclass(frozen=True, slots=True)
class Measure:
    """How much of what runs a finding touches. Each node and pod is counted by one finding only.

    Attributes:
        restarted: pods that stop and start again, by workload.
        out_at_once: most of them that do not serve at one time.
        nodes, gpus: nodes that are replaced or go, and their GPUs.
        spare_gpus: GPUs that must be free, or be started, while pods are exchanged.
        stopped, started: pods that go or come for good, by workload.
        gpu_hours: GPU time that is paid and serves nothing: nodes that start, images pulled, engines that load.
        seconds: from the first to the last.
        notes: what a reader must know beside the numbers.
    """

    restarted: dict[str, int] = field(default_factory=dict)
    out_at_once: int = 0
    nodes: int = 0
    gpus: int = 0
    spare_gpus: int = 0
    stopped: dict[str, int] = field(default_factory=dict)
    started: dict[str, int] = field(default_factory=dict)
    gpu_hours: Range = NOTHING
    seconds: Range = NOTHING
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "restartedReplicas": self.restarted,
            "outAtOnce": self.out_at_once,
            "nodes": self.nodes,
            "gpus": self.gpus,
            "spareGpus": self.spare_gpus,
            "stoppedReplicas": self.stopped,
            "startedReplicas": self.started,
            "gpuHours": [round(self.gpu_hours.low, 2), round(self.gpu_hours.high, 2)],
            "seconds": [round(self.seconds.low), round(self.seconds.high)],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One effect on one resource.

    Attributes:
        old, new: the resource before and after; None where it is not there.
        changes: the inputs behind it; none when it follows from another resource.
        certain: False when it depends on what only `up` knows.
        caused_by: names of the resources it follows from.
        data: what would be lost, or why the engine refuses; empty when nothing is at stake.
    """

    old: PlannedResource | None
    new: PlannedResource | None
    effect: Effect
    changes: tuple[FieldChange, ...]
    why: str
    source: str
    instead: str = ""
    certain: bool = True
    caused_by: tuple[str, ...] = ()
    data: str = ""
    measure: Measure = Measure()

    @property
    def resource(self) -> PlannedResource:
        found = self.new or self.old
        if found is None:
            raise ValueError("a finding is about a resource")
        return found

    @property
    def kind(self) -> str:
        token = self.resource.type_token
        return "Provider" if token.startswith("pulumi:providers:") else token.rpartition(":")[2]

    @property
    def weight(self) -> tuple[bool, int, bool, bool, float, str]:
        """What to read first: lost data, then the most disruptive, causes before what follows, the most GPU time."""
        follows, hours = bool(self.caused_by), -self.measure.gpu_hours.high
        return (not self.data, self.effect.rank, follows, not self.certain, hours, self.resource.urn)


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Everything a change does.

    Attributes:
        findings: what to read first comes first.
        warnings: what makes the comparison itself doubtful.
        assumptions: what the numbers stand on.
    """

    old_stack: str
    new_stack: str
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    def of(self, *effects: Effect) -> list[Finding]:
        """The findings with one of these effects."""
        return [finding for finding in self.findings if finding.effect in effects]

    @property
    def restarted(self) -> dict[str, int]:
        return _sum(finding.measure.restarted for finding in self.findings)

    @property
    def stopped(self) -> dict[str, int]:
        return _sum(finding.measure.stopped for finding in self.findings)

    @property
    def nodes(self) -> int:
        return sum(finding.measure.nodes for finding in self.findings)

    @property
    def gpus(self) -> int:
        return sum(finding.measure.gpus for finding in self.findings)

    @property
    def gpu_hours(self) -> Range:
        return sum((finding.measure.gpu_hours for finding in self.findings), NOTHING)


def _sum(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for owner, count in part.items():
            total[owner] = total.get(owner, 0) + count
    return total
