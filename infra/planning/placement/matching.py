"""One pod against one NodePool: the nodes that would do, or the reason why none does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from infra.planning.placement.offers import Offer, meets, offers_of
from infra.planning.placement.pods import PodDemand
from infra.planning.placement.pools import NodePool, Requirement, Taint
from infra.planning.placement.quantities import show_quantity

_NOTHING = Decimal(0)
# Values shown in a reason before it is cut short.
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Match:
    """The answer of one pool.

    Attributes:
        offers: nodes that could take the pod, Karpenter's first choice first; empty when the pool refuses.
        refusal: why it refuses, with both numbers where numbers decide; empty otherwise.
    """

    pool: NodePool
    offers: tuple[Offer, ...]
    refusal: str = ""


def match(
    pod: PodDemand,
    pool: NodePool,
    used: Mapping[str, Decimal] | None = None,
    daemons: Sequence[PodDemand] = (),
    region: str = "",
) -> Match:
    """Whether an empty new node of `pool` could take `pod`.

    Args:
        used: what the pool's nodes have already, counted against its limits; `nodes` is their number.
        daemons: DaemonSets of the plan; those that run on the node take their share first.
        region: for a pool that names no place.
    """
    if untolerated := not_tolerated(pod, pool.taints):
        return Match(pool, (), f"the pod does not tolerate its taint {untolerated}")
    wanted = [item for term in pod.terms for item in term]
    offers = offers_of(pool, region, wanted)
    if not offers:
        return Match(pool, (), "no instance type of the catalogue meets its requirements in its zones")
    suitable = [offer for offer in offers if any(meets(offer.labels, term) for term in pod.terms)]
    if not suitable:
        return Match(pool, (), _condition_refusal(pod, offers))
    large = [offer for offer in suitable if fits(pod.requests, free_on(offer, pool, daemons))]
    if not large:
        return Match(pool, (), _size_refusal(pod, pool, suitable, daemons))
    allowed = [offer for offer in large if not limit_refusal(pool, offer, used or {})]
    if not allowed:
        return Match(pool, (), limit_refusal(pool, large[0], used or {}))
    return Match(pool, tuple(allowed))


def not_tolerated(pod: PodDemand, taints: Sequence[Taint]) -> Taint | None:
    """The first taint that keeps the pod away."""
    hard = (taint for taint in taints if taint.effect != "PreferNoSchedule")
    return next((taint for taint in hard if not any(item.tolerates(taint) for item in pod.tolerations)), None)


def fits(requests: Mapping[str, Decimal], free: Mapping[str, Decimal]) -> bool:
    """Whether every request is there."""
    return all(amount <= free.get(key, _NOTHING) for key, amount in requests.items())


def free_on(offer: Offer, pool: NodePool, daemons: Sequence[PodDemand]) -> dict[str, Decimal]:
    """What an empty node leaves to pods after the DaemonSets that run on it."""
    free = dict(offer.allocatable)
    for daemon in daemons:
        runs = not not_tolerated(daemon, pool.taints) and any(meets(offer.labels, term) for term in daemon.terms)
        if runs and fits(daemon.requests, free):
            free = {key: amount - daemon.requests.get(key, _NOTHING) for key, amount in free.items()}
    return free


def limit_refusal(pool: NodePool, offer: Offer, used: Mapping[str, Decimal]) -> str:
    """Why the pool's limits forbid one more such node; empty when they allow it."""
    added = {**offer.capacity, "nodes": Decimal(1)}
    for key, limit in pool.limits.items():
        before, more = used.get(key, _NOTHING), added.get(key, _NOTHING)
        if before + more > limit:
            shown = (show_quantity(key, amount) for amount in (limit, before, more))
            return "its limit of {key} is {}; its nodes have {} and one more {name} adds {}".format(
                *shown, key=key, name=offer.shape.name
            )
    return ""


def _condition_refusal(pod: PodDemand, offers: Sequence[Offer]) -> str:
    """The pod's first condition that no node of the pool can meet, and what the pool has instead."""
    for item in (item for term in pod.terms for item in term):
        if not any(meets(offer.labels, [item]) for offer in offers):
            return f"the pod needs a node with {item}; {_has(item, offers)}"
    return f"no node of it meets all of: {'; '.join(str(item) for item in pod.terms[0])}"


def _has(item: Requirement, offers: Sequence[Offer]) -> str:
    values = sorted({offer.labels[item.key] for offer in offers if item.key in offer.labels})
    if not values:
        return "its nodes do not have that label"
    shown = ", ".join(values[:_SHOWN]) + (", ..." if len(values) > _SHOWN else "")
    return f"its nodes have [{shown}]"


def _size_refusal(pod: PodDemand, pool: NodePool, offers: Sequence[Offer], daemons: Sequence[PodDemand]) -> str:
    free = [(offer, free_on(offer, pool, daemons)) for offer in offers]
    for key, amount in sorted(pod.requests.items()):
        largest, room = max(free, key=lambda pair: pair[1].get(key, _NOTHING))
        most = room.get(key, _NOTHING)
        if amount > most:
            asked, there = show_quantity(key, amount), show_quantity(key, most)
            name = f" ({largest.shape.name})" if most else ""
            return f"the pod asks for {key} {asked}; the most a node of it can give is {there}{name}"
    needs = ", ".join(f"{key} {show_quantity(key, amount)}" for key, amount in sorted(pod.requests.items()))
    return f"no single instance type of it has all of {needs}"
