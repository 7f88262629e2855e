"""What nodes a NodePool can start: instance type, capacity type and zone, with the labels such a node would carry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from infra.catalog.zones import regions, zones_of, zones_offering
from infra.planning.placement.pools import NodePool, Requirement
from infra.planning.placement.shapes import Shape, shapes

# "Karpenter will prioritize reserved capacity, followed by spot, then finally on-demand" (Karpenter 1.14, NodePools,
# capacity type; getCapacityType in pkg/providers/instance/instance.go).
CAPACITY_ORDER = ("reserved", "spot", "on-demand")

CAPACITY_TYPE = "karpenter.sh/capacity-type"
ZONE = "topology.kubernetes.io/zone"
ZONE_ID = "topology.k8s.aws/zone-id"
REGION = "topology.kubernetes.io/region"

# Well-known labels that the catalogue has no figures for: a requirement on one is taken as met.
_UNKNOWN_KEYS = frozenset(
    {
        *(
            f"karpenter.k8s.aws/instance-{name}"
            for name in (
                "cpu-manufacturer",
                "cpu-sustained-clock-speed-mhz",
                "ebs-bandwidth",
                "encryption-in-transit-supported",
                "hypervisor",
                "tenancy",
            )
        ),
        *(f"karpenter.k8s.aws/capacity-reservation-{name}" for name in ("id", "type", "interruptible")),
        *(f"karpenter.k8s.aws/placement-group-{name}" for name in ("id", "partition")),
    }
)

# Where the catalogue's prices come from; used when nothing in the plan names a region.
_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Place:
    """A zone. `exact` is False when one of its two names is a stand-in, because an account's letters are its own."""

    region: str
    zone: str
    zone_id: str
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Offer:
    """One node that a pool could start.

    Attributes:
        labels: every label the node would carry but its host name.
        capacity, allocatable: in cores, bytes and pieces.
    """

    shape: Shape
    capacity_type: str
    place: Place
    labels: Mapping[str, str]
    capacity: Mapping[str, Decimal]
    allocatable: Mapping[str, Decimal]

    @property
    def rank(self) -> tuple[int, float, int, int, str]:
        """Karpenter's order: capacity type first, then price; size and name make it definite."""
        price = self.shape.usd_per_hour
        return (
            CAPACITY_ORDER.index(self.capacity_type),
            float("inf") if price is None else price,
            self.shape.gpus,
            self.shape.vcpu,
            self.shape.name,
        )


def offers_of(pool: NodePool, region: str = "", wanted: Iterable[Requirement] = ()) -> list[Offer]:
    """Every node `pool` could start, Karpenter's first choice first.

    Args:
        region: for a pool that names neither region nor zone; empty for `us-east-1`.
        wanted: a pod's conditions; choose the value of a label for which the pool leaves a choice.
    """
    chosen = _own_labels(pool, list(wanted))
    found = []
    for shape in shapes():
        capacity, allocatable = shape.capacity(pool.node_class), shape.allocatable(pool.node_class)
        for place in places_of(pool, region):
            if place.exact and shape.gpus and place.zone_id not in zones_offering(shape.name, place.region):
                continue
            for capacity_type in CAPACITY_ORDER:
                labels = {**shape.labels, **_place_labels(place), **chosen, CAPACITY_TYPE: capacity_type}
                if _sold(shape, capacity_type, pool) and _meets(labels, pool.requirements):
                    more = _overlaid(pool, labels)
                    left = _without_huge_pages(allocatable, more)
                    found.append(Offer(shape, capacity_type, place, labels, {**capacity, **more}, {**left, **more}))
    return sorted(found, key=lambda offer: (*offer.rank, offer.place.zone_id))


def meets(labels: Mapping[str, str], conditions: Sequence[Requirement]) -> bool:
    """Whether a node with these labels meets every condition; conditions on what nobody knows here are met."""
    return _meets(labels, conditions)


def places_of(pool: NodePool, region: str = "") -> list[Place]:
    """The zones a pool allows: by zone id, by zone name, by region, else every zone of `region`."""
    ids, names, named_regions = (_values(pool, key) for key in (ZONE_ID, ZONE, REGION))
    if ids:
        return [_by_id(zone_id) for zone_id in ids]
    if names:
        return [_by_name(name) for name in names]
    where = named_regions or (region or _DEFAULT_REGION,)
    return [_by_id(zone_id) for item in where for zone_id in sorted(zones_of(item))]


def names_place(pool: NodePool) -> bool:
    """Whether the pool itself says in which region or zones its nodes are."""
    return any(_values(pool, key) for key in (ZONE_ID, ZONE, REGION))


def _overlaid(pool: NodePool, labels: Mapping[str, str]) -> dict[str, Decimal]:
    """What the plan's NodeOverlays add to a node with these labels."""
    added: dict[str, Decimal] = {}
    for overlay in pool.overlays:
        if _meets(labels, overlay.requirements):
            added = {**overlay.capacity, **added}
    return added


def _without_huge_pages(allocatable: Mapping[str, Decimal], added: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    """Allocatable memory less the huge pages set aside: kubelet takes them off (pkg/kubelet/nodestatus, MachineInfo).

    Karpenter 1.14 does not know of it: a pod that fits only without them would get one node after the other.
    """
    pages = sum((amount for key, amount in added.items() if key.startswith("hugepages-")), Decimal(0))
    return {**allocatable, "memory": allocatable["memory"] - pages} if pages else allocatable


def _values(pool: NodePool, key: str) -> tuple[str, ...]:
    for item in pool.requirements:
        if item.key == key and item.operator == "In":
            return item.values
    return (pool.labels[key],) if key in pool.labels else ()


def _sold(shape: Shape, capacity_type: str, pool: NodePool) -> bool:
    if capacity_type == "reserved" and not pool.node_class.reserves:
        return False
    # Karpenter drops types with fewer cards than the EC2NodeClass lists (pkg/providers/instancetype/compatibility.go).
    if shape.efa_interfaces < (pool.node_class.efa_only_interfaces or 0):
        return False
    return capacity_type in shape.capacity_types


def _meets(labels: Mapping[str, str], conditions: Sequence[Requirement]) -> bool:
    return all(item.key in _UNKNOWN_KEYS or item.allows(labels.get(item.key)) for item in conditions)


def _own_labels(pool: NodePool, wanted: list[Requirement]) -> dict[str, str]:
    """Labels the pool sets: its name, its template's labels, and requirement keys of its own that name values.

    For the latter Karpenter lets the pod choose among the values; without a wish the first is taken.
    """
    labels = {"karpenter.sh/nodepool": pool.name, **pool.labels}
    known = {*_UNKNOWN_KEYS, CAPACITY_TYPE, ZONE, ZONE_ID, REGION, *(key for shape in shapes() for key in shape.labels)}
    for item in pool.requirements:
        if item.operator != "In" or item.key in known or item.key in labels or not item.values:
            continue
        wishes = [wish for wish in wanted if wish.key == item.key]
        fitting = [value for value in item.values if all(wish.allows(value) for wish in wishes)]
        labels[item.key] = (fitting or item.values)[0]
    return labels


def _place_labels(place: Place) -> dict[str, str]:
    return {REGION: place.region, ZONE: place.zone, ZONE_ID: place.zone_id}


def _by_id(zone_id: str) -> Place:
    """A zone by its id; the letter is a stand-in (az1 is shown as `a`)."""
    prefix, _, number = zone_id.partition("-az")
    region = next((item for item in regions() if prefix in _prefixes(item)), _DEFAULT_REGION)
    letter = chr(ord("a") + int(number) - 1) if number.isdigit() and 0 < int(number) <= 26 else "a"
    return Place(region, f"{region}{letter}", zone_id)


def _by_name(zone: str) -> Place:
    """A zone by its name; the id is a stand-in (`a` is shown as az1), so offerings cannot be judged."""
    region = zone.rstrip("abcdefghijklmnopqrstuvwxyz")
    prefix = min(_prefixes(region), default=region)
    return Place(region, zone, f"{prefix}-az{ord(zone[-1]) - ord('a') + 1}", exact=False)


def _prefixes(region: str) -> set[str]:
    return {zone_id.partition("-az")[0] for zone_id in zones_of(region)}
