"""Puts a measure to every finding, so that each node and each pod is counted once.

Findings are taken in the order of how much they disrupt. What one has counted, the next does not: a pool whose AMI and
taints change is drained once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from infra.catalog.instances import gpu_instance_types
from infra.plan.records import Plan, PlannedResource
from infra.planning.blast_radius.findings import Finding, Measure
from infra.planning.blast_radius.fleet import Fleet, group_size
from infra.planning.blast_radius.karpenter_rules import MIG_LABEL
from infra.planning.blast_radius.measuring import (
    allowed_by_budgets,
    at_limits,
    drain,
    group_measure,
    outage,
    rollout,
    update_width,
)
from infra.planning.blast_radius.rules import Effect
from infra.planning.blast_radius.workloads import Workload
from infra.planning.placement import NodePool, PlannedNode, offers_of
from infra.planning.placement.offers import meets

NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"


def with_measures(
    findings: Iterable[Finding], running: Fleet, wanted: Fleet, before: Plan, after: Plan
) -> list[Finding]:
    """The findings with what each touches.

    Args:
        running, wanted: what the old and the new plan run.
    """
    ordered = sorted(findings, key=lambda item: item.weight)
    counting = _Counting(running, wanted, _objects(before), _objects(after), ordered)
    return [counting.measured(item) for item in ordered]


def _objects(plan: Plan) -> dict[str, PlannedResource]:
    """NodePools by their name in the cluster."""
    return {_name(resource): resource for resource in plan.of_type(NODE_POOL)}


def _name(resource: PlannedResource) -> str:
    metadata = resource.inputs.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else resource.name


@dataclass(slots=True)
class _Counting:
    running: Fleet
    wanted: Fleet
    pools_before: Mapping[str, PlannedResource]
    pools_after: Mapping[str, PlannedResource]
    findings: list[Finding]
    counted_nodes: set[str] = field(default_factory=set)
    counted_pods: set[str] = field(default_factory=set)

    def measured(self, finding: Finding) -> Finding:
        """The finding with its measure; a drain that turns out to reach no node is a change in place."""
        resource, effect = finding.old or finding.resource, finding.effect
        if resource.urn in self.running.workloads or finding.resource.urn in self.wanted.workloads:
            return replace(finding, measure=self._workload(finding))
        if resource.type_token == NODE_GROUP and effect in (Effect.DRAIN, Effect.REPLACE, Effect.DELETE):
            return replace(finding, measure=self._group(finding, resource))
        if resource.type_token in (NODE_POOL, NODE_CLASS) and effect in (Effect.REPLACE, Effect.DELETE):
            nodes = [
                node for node in self._nodes_of(resource) if resource.type_token == NODE_POOL or not self._goes(node)
            ]
            return replace(finding, measure=self._drained(nodes, len(nodes), self._pods_that_leave_first()))
        if effect is Effect.DRAIN:
            return self._drift(finding, resource)
        return finding

    def _workload(self, finding: Finding) -> Measure:
        old = self.running.workloads.get(finding.old.urn) if finding.old else None
        new = self.wanted.workloads.get(finding.new.urn) if finding.new else None
        if finding.effect in (Effect.CREATE, Effect.DELETE, Effect.SCALE):
            return _scaled(old, new)
        if old is None or old.owner in self.counted_pods or finding.effect not in (Effect.REPLACE, Effect.RESTART):
            return Measure()
        self.counted_pods.add(old.owner)
        if finding.effect is Effect.REPLACE:
            return outage(old)
        exchanged = min(old.replicas, new.replicas) if new else old.replicas
        return rollout(replace(new or old, replicas=exchanged), self.wanted)

    def _group(self, finding: Finding, resource: PlannedResource) -> Measure:
        size = group_size(resource)
        width = size if finding.effect is not Effect.DRAIN else update_width(resource.inputs, size)
        if finding.changes and any(change.field[:1] == ("labels",) for change in finding.changes):
            width = size  # a label reaches every living node at once
        nodes = [node for node in self.running.nodes if node.pool.name == resource.name]
        if nodes:
            return self._drained(nodes, width)
        if resource.urn in self.counted_nodes:
            return Measure()
        self.counted_nodes.add(resource.urn)
        return group_measure(size, _gpus_of_group(resource), width)

    def _drift(self, finding: Finding, resource: PlannedResource) -> Finding:
        nodes = self._nodes_of(resource)
        if any(change.field[-1:] == ("requirements",) or "requirements" in change.field for change in finding.changes):
            return self._narrowed(finding, resource, nodes)
        if resource.type_token not in (NODE_POOL, NODE_CLASS):  # MIG layouts, wherever they are written
            nodes = [node for node in self.running.nodes if MIG_LABEL in node.offer.labels]
            return replace(finding, measure=self._drained(nodes, len(nodes)), certain=finding.certain and bool(nodes))
        return replace(finding, measure=self._within_budgets(resource, nodes))

    def _within_budgets(self, resource: PlannedResource, nodes: list[PlannedNode]) -> Measure:
        """Nodes that drift, a pool at a time; and what is said of pools without nodes."""
        total, notes = Measure(), []
        for pool in self._pools_of(resource):
            mine = [node for node in nodes if node.pool.name == pool.name]
            allowed, note = allowed_by_budgets(
                self.pools_after.get(pool.name, self.pools_before.get(pool.name)), len(mine)
            )
            if not mine:
                notes.append(at_limits(pool))
                continue
            fresh = [node for node in mine if node.name not in self.counted_nodes]
            notes.append(note if fresh else f"the nodes of {pool.name} are counted above")
            total = _joined(total, self._drained(mine, allowed))
        return replace(total, notes=(*total.notes, *filter(None, notes)))

    def _narrowed(self, finding: Finding, resource: PlannedResource, nodes: list[PlannedNode]) -> Finding:
        """Only nodes that the new requirements refuse drift; when they refuse none, nothing happens."""
        name = _name(resource)
        old, new = self.running.pools.get(name), self.wanted.pools.get(name)
        if old is None or new is None:
            return finding
        possible = [offer for offer in offers_of(old) if not _allows(new, offer.labels)]
        if not possible:
            why = "the new requirements allow every node that the old ones did: nothing drifts"
            return replace(finding, effect=Effect.UPDATE, why=why, instead="")
        refused = [node for node in nodes if not _allows(new, node.offer.labels)]
        if not refused:
            types = ", ".join(sorted({offer.shape.name for offer in possible})[:4])
            note = f"none of the nodes the plan needs is refused; nodes of {types} are, where Karpenter chose them"
            return replace(finding, certain=False, measure=Measure(notes=(note,)))
        return replace(finding, measure=self._within_budgets(resource, refused))

    def _drained(self, nodes: list[PlannedNode], at_once: int, skipped: Iterable[str] = ()) -> Measure:
        fresh = [node for node in nodes if node.name not in self.counted_nodes]
        if at_once:
            self.counted_nodes |= {node.name for node in fresh}
        gone = {item.old.urn for item in self.findings if item.old and item.effect in (Effect.REPLACE, Effect.DELETE)}
        elsewhere = {work.owner for urn, work in self.running.workloads.items() if urn in gone}
        return drain(fresh, self.running, at_once, {*elsewhere, *skipped})

    def _goes(self, node: PlannedNode) -> bool:
        """Whether the node's own pool is replaced or deleted, and so counts it."""
        pools = {
            _name(item.old)
            for item in self.findings
            if item.old and item.old.type_token == NODE_POOL and item.effect in (Effect.REPLACE, Effect.DELETE)
        }
        return node.pool.name in pools

    def _pods_that_leave_first(self) -> set[str]:
        """Workloads that roll in the same change: the engine updates them before it deletes their old pool."""
        rolled = {item.resource.urn for item in self.findings if item.effect is Effect.RESTART}
        return {work.owner for urn, work in self.running.workloads.items() if urn in rolled}

    def _pools_of(self, resource: PlannedResource) -> list[NodePool]:
        name = _name(resource)
        if resource.type_token == NODE_POOL:
            return [pool for pool in self.running.pools.values() if pool.name == name]
        return [pool for pool in self.running.pools.values() if pool.node_class.name == name]

    def _nodes_of(self, resource: PlannedResource) -> list[PlannedNode]:
        names = {pool.name for pool in self._pools_of(resource)}
        return [node for node in self.running.nodes if node.pool.name in names]


def _scaled(old: Workload | None, new: Workload | None) -> Measure:
    """Pods that come or go for good."""
    one, change = new or old, (new.replicas if new else 0) - (old.replicas if old else 0)
    if one is None or not change:
        return Measure()
    return Measure(started={one.owner: change}) if change > 0 else Measure(stopped={one.owner: -change})


def _allows(pool: NodePool, labels: Mapping[str, str]) -> bool:
    return meets(labels, pool.requirements)


def _joined(left: Measure, right: Measure) -> Measure:
    """Two pools of one class, drained side by side."""
    seconds = max(left.seconds, right.seconds, key=lambda item: item.high)
    return Measure(
        restarted={**left.restarted, **right.restarted},
        out_at_once=left.out_at_once + right.out_at_once,
        nodes=left.nodes + right.nodes,
        gpus=left.gpus + right.gpus,
        gpu_hours=left.gpu_hours + right.gpu_hours,
        seconds=seconds,
    )


def _gpus_of_group(resource: PlannedResource) -> int:
    """Of its largest machine; 0 for machines without GPUs."""
    types = resource.inputs.get("instanceTypes")
    known = [gpu_instance_types().get(str(name)) for name in types] if isinstance(types, list) else []
    return max((item.gpu_count for item in known if item), default=0)
