"""The machines that Karpenter's kwok provider may start, from the catalogue: its file of instance types.

The provider knows few labels of its own. Whatever an offering requires counts as well known to Karpenter and becomes a
label of the node (kwok/cloudprovider/helpers.go and cloudprovider.go, v1.14.1). So every label of the AWS provider that
the catalogue has figures for stands in the offerings, and the program's NodePools need not change. A label that a type
does not have is stated too, since Karpenter takes silence about a well-known label as consent.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from infra.catalog.zones import zones_offering
from infra.conventions import CAPACITY_TYPE_LABEL, GPU_RESOURCE, INSTANCE_TYPE_LABEL, NODEPOOL_LABEL, ZONE_ID_LABEL
from infra.plan.manifests import Manifest
from infra.planning.placement import NodeClass, NodePool, node_pools, offers_of
from infra.planning.placement.offers import REGION, ZONE, Place, names_place, places_of
from infra.planning.placement.shapes import Shape, shapes
from simulator.karpenter.devices import DEVICE_PREFIX

# The provider sets these itself.
_PROVIDERS_OWN = frozenset({INSTANCE_TYPE_LABEL, "kubernetes.io/arch", "kubernetes.io/os"})

# What the provider takes off each machine for the system, whatever its size (helpers.go, newInstanceType): added here
# beforehand, so that pods get exactly what the catalogue's formulas leave them.
_OVERHEAD = {"cpu": Decimal("0.1"), "memory": Decimal(10 * 1024**2)}

_RESERVATION = "karpenter.k8s.aws/capacity-reservation-"
_ID, _TYPE = f"{_RESERVATION}id", f"{_RESERVATION}type"

# Only the order of prices counts here: it decides which machine Karpenter takes first and whether a move saves money.
# No source gives spot prices; half is within what EC2 grants.
_SPOT_SHARE = 0.5
# As the AWS provider: so cheap that it always comes first (offering/reserved_capacity_resolver.go, v1.14.1).
_RESERVED_SHARE = 1e-7
# For types that the price table does not hold: dearer than the dearest that it does (p6-b300.48xlarge, 142.42 USD).
_UNKNOWN_USD = 1000.0
# Machines of a reservation where the pool has no limit of nodes: more than any test starts.
_MANY = 1000

Json = dict[str, Any]
Size = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Reservation:
    """A capacity reservation that pools select. EC2 knows its type and size; here the pools say what it may be.

    Attributes:
        kind: `default` or `capacity-block`, the value of the label `capacity-reservation-type`.
        pools: names of the NodePools that may draw on it.
        machines: most machines, from the limits of the pools.
    """

    id: str
    kind: str
    pools: tuple[str, ...]
    machines: int


def instance_types(manifests: Iterable[Manifest]) -> list[Json]:
    """What goes into the file: every type of the catalogue in the places of the plan's NodePools."""
    manifests = list(manifests)
    pools = node_pools(manifests)
    places = _places(pools)
    reservations = reservations_of(manifests)
    sizes = _sizes_by_type(pools)
    return [_instance_type(shape, sizes[shape.name], places, reservations) for shape in shapes()]


def instance_types_file(manifests: Iterable[Manifest]) -> str:
    """The file's text; the same manifests give the same text."""
    return json.dumps(instance_types(manifests), separators=(",", ":"))


def reservations_of(manifests: Iterable[Manifest]) -> list[Reservation]:
    """The capacity reservations that EC2NodeClasses name by id, in the order of their ids."""
    manifests = list(manifests)
    selected = {
        manifest.name: [str(term["id"]) for term in _terms(manifest) if "id" in term]
        for manifest in manifests
        if manifest.kind == "EC2NodeClass"
    }
    pools: dict[str, list[NodePool]] = {}
    for pool in node_pools(manifests):
        for reservation in selected.get(pool.node_class.name, []):
            pools.setdefault(reservation, []).append(pool)
    return [_reservation(reservation, pools[reservation]) for reservation in sorted(pools)]


def size_conflicts(manifests: Iterable[Manifest]) -> list[str]:
    """Instance types to which the pools' classes and overlays give different sizes; every node of one shows one."""
    sizes = _sizes_by_type(node_pools(manifests))
    return [shape.name for shape in shapes() if len(sizes[shape.name]) > 1]


def _terms(node_class: Manifest) -> list[Json]:
    terms: list[Json] = (node_class.body.get("spec") or {}).get("capacityReservationSelectorTerms") or []
    return terms


def _reservation(reservation: str, pools: Sequence[NodePool]) -> Reservation:
    kinds = [item.values for pool in pools for item in pool.requirements if item.key == _TYPE]
    kind = "capacity-block" if ("capacity-block",) in kinds else "default"
    machines = sum(int(pool.limits.get("nodes", _MANY)) for pool in pools)
    return Reservation(reservation, kind, tuple(pool.name for pool in pools), machines)


def _places(pools: Sequence[NodePool]) -> list[Place]:
    """Every zone that a pool allows; a pool that names no place is where the others are, as in `packing`."""
    region = next((place.region for pool in pools if names_place(pool) for place in places_of(pool)), "")
    found = [place for pool in pools for place in places_of(pool, region)] or places_of(NodePool(""), region)
    return list(dict.fromkeys(found))


def _sizes_by_type(pools: Sequence[NodePool]) -> dict[str, list[Size]]:
    """What pods can have on each type, in every pool that could start it, without repetition."""
    sizes: dict[str, list[Size]] = {shape.name: [] for shape in shapes()}
    for pool in pools:
        for offer in offers_of(pool):
            size = _with_whole_gpus(offer.shape, offer.allocatable)
            if size not in sizes[offer.shape.name]:
                sizes[offer.shape.name].append(size)
    return sizes


def _with_whole_gpus(shape: Shape, size: Size) -> Size:
    """The size with its GPUs undivided, as EC2 lists them: Karpenter reads in NodeOverlays what becomes of them."""
    others = {key: amount for key, amount in size.items() if not key.startswith(DEVICE_PREFIX)}
    return others | ({GPU_RESOURCE: Decimal(shape.gpus)} if shape.gpus else {})


def _instance_type(
    shape: Shape, sizes: Sequence[Size], places: Sequence[Place], reservations: Sequence[Reservation]
) -> Json:
    return {
        "name": shape.name,
        "architecture": shape.arch,
        "operatingSystems": ["linux"],
        "resources": _resources(shape, sizes),
        "offerings": [
            offering
            for place in places
            if _is_offered(shape, place)
            for offering in _offerings(shape, place, reservations)
        ],
    }


def _is_offered(shape: Shape, place: Place) -> bool:
    return not (shape.gpus and place.exact) or place.zone_id in zones_offering(shape.name, place.region)


def _resources(shape: Shape, sizes: Sequence[Size]) -> dict[str, str]:
    """What pods can have on the smallest node that any pool makes of it, and the provider's overhead.

    What only some pools have, by a NodeOverlay, all nodes of the type have here: the file knows no pools.
    """
    plain = shape.allocatable(NodeClass(""))
    smallest = {key: min(size.get(key, Decimal(0)) for size in sizes) for key in plain} if sizes else plain
    overlaid = {key for size in sizes for key in size} - plain.keys()
    most = {key: max(size.get(key, Decimal(0)) for size in sizes) for key in sorted(overlaid)}
    amounts = {key: amount + _OVERHEAD.get(key, 0) for key, amount in {**smallest, **most}.items() if amount}
    return {key: f"{int(amount * 1000)}m" if key == "cpu" else str(int(amount)) for key, amount in amounts.items()}


def _offerings(shape: Shape, place: Place, reservations: Sequence[Reservation]) -> list[Json]:
    """How the type is sold in one zone."""
    on_demand = shape.usd_per_hour or _UNKNOWN_USD
    prices = {"on-demand": on_demand, "spot": on_demand * _SPOT_SHARE}
    found = [
        _offering(shape, place, kind, price, {_ID: None, _TYPE: None})
        for kind, price in prices.items()
        if kind in shape.capacity_types
    ]
    for item in reservations:
        own = {_ID: [item.id], _TYPE: [item.kind], NODEPOOL_LABEL: list(item.pools)}
        offering = _offering(shape, place, "reserved", on_demand * _RESERVED_SHARE, own)
        found.append({**offering, "ReservationCapacity": item.machines})
    return found


def _offering(shape: Shape, place: Place, kind: str, price: float, own: Mapping[str, list[str] | None]) -> Json:
    labels = {
        **{key: [shape.labels[key]] if key in shape.labels else None for key in _label_keys()},
        REGION: [place.region],
        ZONE: [place.zone],
        ZONE_ID_LABEL: [place.zone_id],
        CAPACITY_TYPE_LABEL: [kind],
        **own,
    }
    return {"Price": price, "Requirements": [_requirement(key, values) for key, values in labels.items()]}


def _requirement(key: str, values: list[str] | None) -> Json:
    if values is None:
        return {"key": key, "operator": "DoesNotExist"}
    return {"key": key, "operator": "In", "values": values}


@cache
def _label_keys() -> tuple[str, ...]:
    """Labels that any type of the catalogue has, but for those the provider sets."""
    return tuple(sorted({key for shape in shapes() for key in shape.labels} - _PROVIDERS_OWN))
