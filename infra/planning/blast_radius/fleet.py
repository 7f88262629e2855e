"""What a plan runs: its replicas, the nodes they need, and how each starts and stops.

Nodes are those of `infra.planning.placement` for the replicas written in the plan. What an autoscaler adds, and jobs
that no plan holds, are not among them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from infra.catalog.instances import gpu_instance_types
from infra.conventions import INSTANCE_TYPE_LABEL
from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.plan.records import Marker, Plan, PlannedResource, Value
from infra.planning.blast_radius.workloads import Workload, workload
from infra.planning.placement import (
    NodePool,
    PlannedNode,
    PodDemand,
    Requirement,
    Taint,
    node_pools,
    pack,
    pod_demands,
)

_NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"

# What a stranger's manifest may raise when it is read: a missing key, a text where a number should be, and so on.
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, PlatformError)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What runs.

    Attributes:
        workloads: by URN of their object.
        nodes: those that the pods of the plan need; node groups with GPUs have all of theirs.
        pools: by name, node groups with GPUs among them.
        notes: what could not be counted, and why.
        by_owner: the workloads by the name of their object.
    """

    workloads: Mapping[str, Workload]
    demands: tuple[PodDemand, ...]
    pools: Mapping[str, NodePool]
    nodes: tuple[PlannedNode, ...]
    notes: tuple[str, ...] = ()
    by_owner: Mapping[str, Workload] = field(default_factory=dict)

    def room_for(self, more: Workload, count: int) -> bool:
        """Whether `count` more servers of a workload find nodes within the limits of the pools."""
        pools = list(self.pools.values())
        own = [item for item in self.demands if item.owner == more.owner]
        extra = [replace(item, count=math.ceil(count * item.count / more.replicas)) for item in own]
        missing = [
            sum(item.count for item in pack(demands, pools).unplaced)
            for demands in ([*self.demands], [*self.demands, *extra])
        ]
        return missing[1] <= missing[0]


def fleet(plan: Plan) -> Fleet:
    """What `plan` runs. An object that cannot be read is left out and noted."""
    notes: list[str] = []
    manifests = {resource.urn: item for resource in plan if (item := _manifest(resource)) is not None}
    demands: list[PodDemand] = []
    workloads: dict[str, Workload] = {}
    for urn, manifest in manifests.items():
        try:
            asked = pod_demands([manifest])
            made = workload(urn, manifest, asked, list(manifests.values()))
        except _UNREADABLE:
            notes.append(f"{manifest.kind} {manifest.name}: its pods cannot be counted")
            continue
        demands += asked
        if made:
            workloads[urn] = made
    pools = [*_node_groups(plan, notes), *_readable_pools(list(manifests.values()), notes)]
    packing = pack(demands, pools)
    notes += [
        f"{missed.pod.owner}: {missed.count} of its pods fit no node of this plan and are not counted"
        for missed in packing.unplaced
    ]
    by_owner = {item.owner: item for item in workloads.values()}
    named = {pool.name: pool for pool in pools}
    return Fleet(workloads, tuple(demands), named, packing.nodes, tuple(notes), by_owner)


def _manifest(resource: PlannedResource) -> Manifest | None:
    """The object as it would be applied, with markers as text; None where it has no name or kind."""
    body = {key: shown(value) for key, value in resource.inputs.items()}
    metadata = body.get("metadata")
    named = isinstance(metadata, dict) and isinstance(metadata.get("name"), str)
    return Manifest(body, resource.urn) if resource.is_kubernetes_object and named and "kind" in body else None


def shown(value: Value) -> Any:  # JSON data has no narrower type
    """The same data with markers as text."""
    if isinstance(value, Marker):
        return value.value
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shown(item) for item in value]
    return value


def _readable_pools(manifests: list[Manifest], notes: list[str]) -> list[NodePool]:
    try:
        return node_pools(manifests)
    except _UNREADABLE:
        pass
    classes = [item for item in manifests if item.kind == "EC2NodeClass"]
    found: list[NodePool] = []
    for item in manifests:
        if item.kind != "NodePool":
            continue
        try:
            found += node_pools([item, *classes])
        except _UNREADABLE:
            notes.append(f"NodePool {item.name}: it cannot be read, its nodes are not counted")
    return found


def _node_groups(plan: Plan, notes: list[str]) -> Iterator[NodePool]:
    """Managed node groups with GPUs, as pools of a fixed size."""
    for resource in plan.of_type(_NODE_GROUP):
        try:
            types = [name for name in resource.inputs["instanceTypes"] if name in gpu_instance_types()]  # type: ignore[union-attr]
            if types:
                yield _group_pool(resource, types)
        except _UNREADABLE:
            notes.append(f"NodeGroup {resource.name}: its nodes cannot be counted")


def _group_pool(resource: PlannedResource, types: list[Any]) -> NodePool:
    data = {key: shown(value) for key, value in resource.inputs.items()}
    return NodePool(
        name=resource.name,
        requirements=(Requirement(INSTANCE_TYPE_LABEL, "In", tuple(types)),),
        labels={str(key): str(value) for key, value in (data.get("labels") or {}).items()},
        taints=tuple(
            Taint(str(item["key"]), str(item.get("value") or ""), _EFFECTS[item["effect"]])
            for item in data.get("taints") or ()
        ),
        replicas=group_size(resource),
    )


_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}


def group_size(resource: PlannedResource) -> int:
    """Nodes of a managed node group, 0 when the plan does not say."""
    scaling = resource.inputs.get("scalingConfig")
    size = scaling.get("desiredSize") if isinstance(scaling, dict) else None
    return size if isinstance(size, int) and not isinstance(size, bool) else 0
