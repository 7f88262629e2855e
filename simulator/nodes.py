"""Simulated nodes, made from the program's own NodePools and the catalogue, for exactly the pods of the plan.

The judgement is `infra.planning.placement`; here its nodes become Node objects that kwok keeps alive. What Karpenter
would write on a real node is written here: labels, taints, capacity. Startup taints are shown as lifted, because nobody
here installs what they wait for.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from infra.conventions import MIG_STATE_LABEL, PARTITION_TAINT, PARTITIONED_LABEL
from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.planning.placement import Packing, PlannedNode, node_pools, pack, pod_demands

# kwok manages every node here; the annotation says to people and to admission rules that this one is not real.
_KWOK_ANNOTATION = "kwok.x-k8s.io/node"
MADE_BY = "app.kubernetes.io/managed-by"


@dataclass(frozen=True, slots=True)
class SimulatedNode:
    """One node to create.

    Attributes:
        pods: owners of the pods it was made for; the scheduler may place them otherwise.
        body: the Node object.
        notes: what had to be assumed about it.
    """

    name: str
    pool: str
    instance_type: str
    capacity_type: str
    zone: str
    gpus: int
    pods: tuple[str, ...]
    body: dict[str, Any]
    notes: tuple[str, ...] = ()


def nodes_for(manifests: Iterable[Manifest]) -> list[SimulatedNode]:
    """The nodes that the pods of the plan need, from its own NodePools; the same manifests give the same nodes.

    Raises:
        PlatformError: when pods fit nowhere; it names each pod, and each pool with its reason and both numbers.
    """
    manifests = list(manifests)
    packing = pack(pod_demands(manifests), node_pools(manifests))
    if packing.unplaced:
        raise PlatformError(
            _unplaced(packing),
            "change the pods' requests, tolerations or affinity, or the NodePool that should take them",
        )
    return [_simulated(node, packing.notes) for node in packing.nodes]


def _unplaced(packing: Packing) -> str:
    lines = []
    for missed in packing.unplaced:
        lines.append(f"{missed.count} of {missed.pod.count} pods of {missed.pod.owner} fit on no NodePool")
        lines += [f"  {pool}: {reason}" for pool, reason in missed.refusals]
        if not missed.refusals:
            lines.append("  the plan has no NodePool")
    return "\n".join(lines)


def _simulated(node: PlannedNode, notes: tuple[str, ...]) -> SimulatedNode:
    offer = node.offer
    own = tuple(note for note in notes if note.startswith(f"NodePool {node.pool.name} "))
    if not offer.place.exact:
        own = (
            *own,
            f"zone {offer.place.zone} is shown with the id {offer.place.zone_id}; each account has its own pairs",
        )
    return SimulatedNode(
        name=node.name,
        pool=node.pool.name,
        instance_type=offer.shape.name,
        capacity_type=offer.capacity_type,
        zone=offer.place.zone,
        gpus=offer.shape.gpus,
        pods=node.pods,
        body=_body(node),
        notes=own,
    )


def _body(node: PlannedNode) -> dict[str, Any]:
    offer = node.offer
    labels = {
        **offer.labels,
        "kubernetes.io/hostname": node.name,
        # Karpenter sets both when a node has joined and has all it was asked for.
        "karpenter.sh/registered": "true",
        "karpenter.sh/initialized": "true",
        MADE_BY: "gpu-platform",
    }
    if PARTITION_TAINT in {taint.key for taint in node.pool.startup_taints}:
        # What the MIG manager and the gate write when the node is cut.
        labels |= {MIG_STATE_LABEL: "success", PARTITIONED_LABEL: "true"}
    taints = [{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in node.pool.taints]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels, "annotations": {_KWOK_ANNOTATION: "fake"}},
        "spec": {"taints": taints, "providerID": f"aws:///{offer.place.zone}/{_instance_id(node.name)}"},
        "status": {
            "capacity": {key: _quantity(amount) for key, amount in offer.capacity.items()},
            "allocatable": {key: _quantity(amount) for key, amount in offer.allocatable.items()},
            "nodeInfo": {"architecture": offer.shape.arch, "operatingSystem": "linux"},
        },
    }


def _instance_id(name: str) -> str:
    """A stand-in of the form EC2 gives: `i-` and 17 hexadecimal digits."""
    return f"i-{hashlib.sha256(name.encode()).hexdigest()[:17]}"


def _quantity(amount: Decimal) -> str:
    """Whole numbers as they are, parts of cores in thousandths."""
    return str(int(amount)) if amount == int(amount) else f"{int(amount * 1000)}m"
