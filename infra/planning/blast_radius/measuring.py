"""How much of what runs a change touches, in nodes, replicas and GPU-hours.

A GPU-hour counts when a GPU is paid and serves nothing: its node starts, an image is pulled, an engine loads. A pod
that drains still works, so its drain counts for the time and not for the GPU-hours.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infra.plan.records import PlannedResource
from infra.planning.blast_radius.durations import IMAGE_PULL, NODE_LAUNCH, NOTHING, Range
from infra.planning.blast_radius.findings import Measure
from infra.planning.blast_radius.fleet import Fleet, shown
from infra.planning.blast_radius.workloads import Workload, share
from infra.planning.placement import NodePool, PlannedNode

_HOUR = 3600

# Karpenter's default where a NodePool has no budget (karpenter 1.14.1, NodePool.spec.disruption).
_DEFAULT_BUDGETS = ({"nodes": "10%"},)


def rollout(workload: Workload, fleet: Fleet) -> Measure:
    """A workload exchanges its servers by its strategy."""
    at_once = max(1, workload.surge + workload.unavailable)
    waves = math.ceil(workload.replicas / at_once)
    one = Range(workload.start.low, (NODE_LAUNCH + IMAGE_PULL + workload.start).high)
    notes, spare = [], math.ceil(workload.surge * workload.gpus)
    if workload.surge and workload.gpus and not fleet.room_for(workload, workload.surge):
        notes.append(
            f"the pools have no room for {spare} spare GPUs of {workload.name}: the rollout waits with the old pods,"
            " and fails at its deadline"
        )
    return Measure(
        restarted={workload.owner: workload.replicas},
        out_at_once=min(workload.replicas, workload.unavailable),
        spare_gpus=spare,
        gpu_hours=one.times(workload.replicas * workload.gpus / _HOUR),
        seconds=(one + workload.stop).times(waves),
        notes=tuple(notes),
    )


def outage(workload: Workload) -> Measure:
    """All pods of a workload go, and come back together."""
    one = Range(workload.start.low, (NODE_LAUNCH + IMAGE_PULL + workload.start).high)
    return Measure(
        restarted={workload.owner: workload.replicas},
        out_at_once=workload.replicas,
        gpu_hours=one.times(workload.replicas * workload.gpus / _HOUR),
        seconds=one + workload.stop,
    )


def drain(nodes: Sequence[PlannedNode], fleet: Fleet, at_once: int, skipped: Iterable[str] = ()) -> Measure:
    """Nodes are replaced; their pods move.

    Args:
        at_once: nodes that may be out at one time; 0 when none may, and then nothing happens yet.
        skipped: owners whose pods are counted elsewhere.
    """
    if not nodes or not at_once:
        return Measure()
    left = set(skipped)
    moving = [
        [fleet.by_owner[name] for name in node.pods if name in fleet.by_owner and name not in left] for node in nodes
    ]
    # A group of which several pods move starts anew as one; of all others each pod is a server.
    counts = Counter(item.owner for items in moving for item in items)
    restarted = {owner: min(count, fleet.by_owner[owner].replicas) for owner, count in counts.items()}
    servers = [fleet.by_owner[owner] for owner, count in restarted.items() for _ in range(count)]
    gpus = sum(node.offer.shape.gpus for node in nodes)
    loading = sum(((IMAGE_PULL + item.start).times(item.gpus) for item in servers), NOTHING)
    slowest = max(
        (IMAGE_PULL + item.start + item.stop for item in servers), key=lambda item: item.high, default=NOTHING
    )
    return Measure(
        restarted=restarted,
        out_at_once=_out(moving, at_once),
        nodes=len(nodes),
        gpus=gpus,
        gpu_hours=(NODE_LAUNCH.times(gpus) + loading).times(1 / _HOUR),
        seconds=(NODE_LAUNCH + slowest).times(math.ceil(len(nodes) / at_once)),
    )


def _out(moving: Sequence[Sequence[Workload]], at_once: int) -> int:
    """Most pods that are out at one time: the nodes that hurt most go first, as far as PodDisruptionBudgets let."""
    limits = {item.owner: item.evictable for items in moving for item in items}
    left, out = [Counter(item.owner for item in items) for items in moving], Counter[str]()
    for _ in range(min(at_once, len(left))):
        worst = max(left, key=lambda pods: _evicted(out + pods, limits))
        left.remove(worst)
        out += worst
    return _evicted(out, limits)


def _evicted(pods: Mapping[str, int], limits: Mapping[str, int]) -> int:
    return sum(min(count, limits[owner]) for owner, count in pods.items())


def allowed_by_budgets(pool: PlannedResource | None, nodes: int) -> tuple[int, str]:
    """How many of `nodes` nodes may drift at one time, and what a reader must know of it.

    A percentage is rounded up, and the smallest budget counts (karpenter 1.14.1, GetAllowedDisruptionsByReason).
    Budgets with a schedule are not counted: when they hold, fewer nodes go.
    """
    always, scheduled = nodes, 0
    for budget in _budgets(pool):
        reasons = budget.get("reasons")
        if reasons and "Drifted" not in str(reasons):
            continue
        if budget.get("schedule"):
            scheduled += 1
            continue
        always = min(always, _amount(budget.get("nodes"), nodes))
    if not always:
        return 0, "its disruption budget lets no node drift: they change when they are empty or expire"
    held = ", and fewer while a budget with a schedule holds" if scheduled else ""
    return always, f"{always} of {nodes} nodes at a time by its disruption budgets{held}" if nodes > 1 else ""


def _budgets(pool: PlannedResource | None) -> Sequence[Mapping[str, Any]]:
    """The disruption budgets of a NodePool. One that cannot be read lets nothing go, as Karpenter fails closed."""
    place: Any = shown(dict(pool.inputs)) if pool else None
    for key in ("spec", "disruption", "budgets"):
        place = place.get(key) if isinstance(place, dict) else None
    if not place:
        return _DEFAULT_BUDGETS
    items = place if isinstance(place, list) else [place]
    return [item if isinstance(item, dict) else {} for item in items]


def _amount(value: object, nodes: int) -> int:
    try:
        return max(0, share(str(value), nodes, math.ceil))
    except ValueError:
        return 0


def at_limits(pool: NodePool) -> str:
    """How large a pool may become, for a pool whose nodes no pod of the plan needs."""
    limits = pool.limits
    parts = [
        f"{int(limits[key])} {name}" for key, name in (("nodes", "nodes"), ("nvidia.com/gpu", "GPUs")) if key in limits
    ]
    held = f"jobs may hold up to {' and '.join(parts)}" if parts else "what runs there is not in the plan"
    return f"no pod of the plan needs a node of {pool.name}; {held}"


def group_measure(size: int, gpus: int, at_once: int) -> Measure:
    """Nodes of a managed node group whose pods are not in the plan."""
    if not size:
        return Measure()
    return Measure(
        nodes=size,
        gpus=size * gpus,
        gpu_hours=NODE_LAUNCH.times(size * gpus / _HOUR),
        seconds=NODE_LAUNCH.times(math.ceil(size / max(1, at_once))),
    )


def update_width(inputs: Mapping[str, Any], size: int) -> int:
    """Nodes of a managed node group that EKS updates at a time; one where nothing is said."""
    config = inputs.get("updateConfig")
    if not isinstance(config, dict):
        return 1
    percent, width = config.get("maxUnavailablePercentage"), config.get("maxUnavailable")
    if isinstance(percent, int):
        return max(1, math.ceil(size * percent / 100))
    return width if isinstance(width, int) and width > 0 else 1
