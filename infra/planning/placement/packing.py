"""Turning the pods of a plan into nodes, as Karpenter would for an empty cluster.

Large pods first, each onto an open node that has room, else onto a new node: of the first pool by weight that takes it,
the first offer by capacity type and price. Karpenter also tries larger nodes for several pods at once and consolidates
later; the nodes here are therefore enough, but not always the ones it would end with.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from infra.planning.placement.matching import fits, free_on, limit_refusal, match, not_tolerated
from infra.planning.placement.offers import Offer, meets, names_place, offers_of, places_of
from infra.planning.placement.pods import PodDemand
from infra.planning.placement.pools import NodePool
from infra.planning.placement.shapes import GPU


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One node that the plan's pods need.

    Attributes:
        name: definite: pool, instance type and a number.
        pods: owners of the pods packed onto it; the scheduler may place them otherwise.
    """

    name: str
    pool: NodePool
    offer: Offer
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Pods that fit nowhere.

    Attributes:
        count: how many of the object's pods.
        refusals: (pool, reason) of every pool.
    """

    pod: PodDemand
    count: int
    refusals: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """The nodes of a plan, the pods without one, and what had to be assumed."""

    nodes: tuple[PlannedNode, ...]
    unplaced: tuple[Unplaced, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Open:
    pool: NodePool
    offer: Offer
    free: dict[str, Decimal]
    pods: list[PodDemand] = field(default_factory=list)


def pack(demands: Sequence[PodDemand], pools: Sequence[NodePool]) -> Packing:
    """Nodes for every pod of `demands`.

    Args:
        pools: in the order they are tried (`node_pools` sorts them).
    """
    packer = _Packer(pools, [pod for pod in demands if pod.per_node])
    packer.open_static_pools()
    waiting = [pod for pod in demands if not pod.per_node]
    waiting.sort(
        key=lambda pod: (-pod.requests.get(GPU, 0), -pod.requests.get("cpu", 0), -pod.requests.get("memory", 0))
    )
    unplaced = [missed for pod in waiting if (missed := packer.place(pod))]
    return Packing(packer.nodes(), tuple(unplaced), packer.notes())


class _Packer:
    def __init__(self, pools: Sequence[NodePool], daemons: Sequence[PodDemand]) -> None:
        self._pools = pools
        self._daemons = daemons
        self._open: list[_Open] = []
        # A pool that names no place is put where the others are.
        self._region = next((place.region for pool in pools if names_place(pool) for place in places_of(pool)), "")

    def open_static_pools(self) -> None:
        """The nodes of pools with `replicas`, which stand whether pods need them or not."""
        for pool in self._pools:
            offers = offers_of(pool, self._region) if pool.replicas else []
            for _ in range(pool.replicas or 0):
                allowed = [offer for offer in offers if not limit_refusal(pool, offer, self._used(pool))]
                if allowed:
                    self._start(pool, allowed)

    def place(self, pod: PodDemand) -> Unplaced | None:
        """Place every pod of `pod`; what cannot be placed comes back."""
        for placed in range(pod.count):
            node = self._with_room(pod)
            refusals: list[tuple[str, str]] = []
            if node is None:
                node = self._new_node(pod, refusals)
            if node is None:
                return Unplaced(pod, pod.count - placed, tuple(refusals))
            node.free = {key: amount - pod.requests.get(key, 0) for key, amount in node.free.items()}
            node.pods.append(pod)
        return None

    def nodes(self) -> tuple[PlannedNode, ...]:
        numbers: Counter[str] = Counter()
        found = []
        for node in self._open:
            stem = f"{node.pool.name}-{node.offer.shape.name.replace('.', '-')}"
            numbers[stem] += 1
            owners = tuple(pod.owner for pod in node.pods)
            found.append(PlannedNode(f"{stem}-{numbers[stem]}", node.pool, node.offer, owners))
        return tuple(found)

    def notes(self) -> tuple[str, ...]:
        used = {node.pool.name: node.offer.place.region for node in self._open if not names_place(node.pool)}
        return tuple(f"NodePool {name} names no region or zone; its nodes are shown in {used[name]}" for name in used)

    def _with_room(self, pod: PodDemand) -> _Open | None:
        for node in self._open:
            if (
                not not_tolerated(pod, node.pool.taints)
                and any(meets(node.offer.labels, term) for term in pod.terms)
                and fits(pod.requests, node.free)
                and not _kept_apart(pod, node.pods)
            ):
                return node
        return None

    def _new_node(self, pod: PodDemand, refusals: list[tuple[str, str]]) -> _Open | None:
        for pool in self._pools:
            if pool.replicas is not None:
                refusals.append((pool.name, f"its {pool.replicas} nodes are fixed, and none has room for the pod"))
                continue
            answer = match(pod, pool, self._used(pool), self._daemons, self._region)
            if answer.offers:
                return self._start(pool, answer.offers)
            refusals.append((pool.name, answer.refusal))
        return None

    def _start(self, pool: NodePool, offers: Sequence[Offer]) -> _Open:
        """Open the best offer, in the zone that has the fewest nodes of the pool."""
        best = [offer for offer in offers if offer.rank == offers[0].rank]
        zones = Counter(node.offer.place.zone_id for node in self._open if node.pool.name == pool.name)
        offer = min(best, key=lambda item: (zones[item.place.zone_id], item.place.zone_id))
        node = _Open(pool, offer, free_on(offer, pool, self._daemons))
        self._open.append(node)
        return node

    def _used(self, pool: NodePool) -> dict[str, Decimal]:
        mine = [node for node in self._open if node.pool.name == pool.name]
        used: dict[str, Decimal] = {"nodes": Decimal(len(mine))}
        for node in mine:
            for key, amount in node.offer.capacity.items():
                used[key] = used.get(key, Decimal(0)) + amount
        return used


def _kept_apart(pod: PodDemand, others: Sequence[PodDemand]) -> bool:
    """Whether required anti-affinity by host name, of either side, forbids one node for both."""
    return any(
        any(selector.selects(other.namespace, other.labels) for selector in pod.apart_from)
        or any(selector.selects(pod.namespace, pod.labels) for selector in other.apart_from)
        for other in others
    )
