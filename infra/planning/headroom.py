"""Whether pools have room for one more server of a model while a new version replaces the old one.

A rollout that surges starts a new server before an old one goes. Where no node may take it, it stays pending, the old
ones are kept, and the rollout hangs until its deadline. So the question is one of packing: every server of every model
that shares the pools, and the new one, within the pools' limits.

Each order of packing that is tried either finds nodes for all, which proves that there is room, or it does not. For
machines whose GPUs are powers of two, and servers of as many, nothing is missed within one pool; a test holds that
against every arrangement there is. Models are updated one at a time here: where two are updated together, one waits
for the other. Zones are not looked at: a machine is taken to be sold in some zone that will do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

# More servers than this are not packed one by one; then only sums are compared.
MOST_PACKED = 400


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance type that a pool may start.

    Attributes:
        gpus: whole GPUs, as limits count them.
        devices: what pods ask for, by resource: GPUs, slices or shares of them.
        cpu, memory_gib: what it has for servers.
    """

    name: str
    gpus: int
    devices: Mapping[str, int]
    cpu: int
    memory_gib: float


@dataclass(frozen=True, slots=True)
class Room:
    """A pool: what it may start at most.

    Attributes:
        machines: cheapest first.
        weight: pools with more are tried first.
    """

    name: str
    gpu_limit: int
    node_limit: int
    machines: tuple[Machine, ...]
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Servers:
    """All servers of one model.

    Attributes:
        pools: names of the pools they may run on.
        devices: how many of `resource` one server has.
        cpu, memory_gib: what one asks for; 0 where that is not known.
        apart: whether each must have a node that no other of the same model is on.
    """

    name: str
    pools: tuple[str, ...]
    count: int
    resource: str
    devices: int
    cpu: int = 0
    memory_gib: int = 0
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Headroom:
    """The answer for one model.

    Attributes:
        surge: servers beyond `servers.count` that were asked about.
        fits: whether all servers and the surge have a place in some arrangement.
        fits_without: whether all servers have one without the surge.
        fits_one_by_one: whether they have one when each new node is the smallest that will do, as Karpenter chooses
            it for pods that come one by one. Where only `fits` holds, the arrangement may have to come about first.
        taken: devices of the model's resource that all servers take which may run on its pools, without the surge.
        most: devices of that resource that its pools may have at most.
    """

    servers: Servers
    surge: int
    fits: bool
    fits_without: bool
    fits_one_by_one: bool
    taken: int
    most: int


def headroom(name: str, surge: int, fleet: Sequence[Servers], rooms: Sequence[Room]) -> Headroom:
    """Whether `surge` more servers of the model `name` have room beside those of `fleet` that may be in their way.

    Those share a pool with them, or with one that does: what has no room elsewhere is none of this.
    """
    servers = next(item for item in fleet if item.name == name)
    fleet = neighbours(servers, fleet)
    more = [replace(item, count=item.count + surge) if item.name == name else item for item in fleet]
    near = [room for room in rooms if room.name in servers.pools]
    sharing = [item for item in fleet if item.resource == servers.resource and set(item.pools) & set(servers.pools)]
    one_by_one = packs(more, rooms, largest_first=False)
    fits = one_by_one or packs(more, rooms, largest_first=True)
    return Headroom(
        servers,
        surge,
        fits,
        fits or fleet_fits(fleet, rooms),
        one_by_one,
        sum(item.count * item.devices for item in sharing),
        sum(_most_devices(room, servers.resource) for room in near),
    )


def neighbours(servers: Servers, fleet: Sequence[Servers]) -> list[Servers]:
    """Those of `fleet` that share a pool with `servers`, or with others that do, and so on; itself among them."""
    pools = set(servers.pools)
    while True:
        near = [item for item in fleet if pools & set(item.pools)]
        reached = pools.union(*(item.pools for item in near))
        if reached == pools:
            return near
        pools = reached


def fleet_fits(fleet: Sequence[Servers], rooms: Sequence[Room]) -> bool:
    """Whether every server has a place in some arrangement."""
    return any(packs(fleet, rooms, largest_first=largest) for largest in (False, True))


def nearest_limits(
    name: str, surge: int, fleet: Sequence[Servers], rooms: Sequence[Room]
) -> tuple[str, int, int] | None:
    """The smallest raise of one pool's limits that gives the surge room: pool, GPUs, nodes. None where none is near.

    A raise of up to `surge` servers on machines of their own is looked at.
    """
    servers = next(item for item in fleet if item.name == name)
    found = []
    for room in rooms:
        if room.name not in servers.pools or not room.machines:
            continue
        most = max(machine.gpus for machine in room.machines) * min(surge, 8)

        def fits(nodes: int, gpus: int, room: Room = room) -> bool:
            raised = replace(room, gpu_limit=room.gpu_limit + gpus, node_limit=room.node_limit + nodes)
            return headroom(name, surge, fleet, [raised if item.name == room.name else item for item in rooms]).fits

        nodes = next((nodes for nodes in range(min(surge, 8) + 1) if fits(nodes, most)), None)
        if nodes is not None:
            gpus = next(gpus for gpus in range(most + 1) if fits(nodes, gpus))
            found.append((nodes, gpus, room.name, room.gpu_limit + gpus, room.node_limit + nodes))
    best = min(found, default=None)
    return (best[2], best[3], best[4]) if best else None


def packs(fleet: Sequence[Servers], rooms: Sequence[Room], *, largest_first: bool) -> bool:
    """Whether one way of packing finds a place for every server.

    Args:
        largest_first: open the largest machine that the limits still allow, else the smallest that will do.
    """
    if not all(_sums_allow(item, fleet, rooms) for item in fleet):
        return False
    if sum(item.count for item in fleet) > MOST_PACKED:
        return True
    by_name = {room.name: room for room in rooms}
    nodes: list[_Node] = []
    # The hard ones first: large, then bound to few pools.
    for item in sorted(fleet, key=lambda each: (-each.devices, len(each.pools), each.name)):
        pools = sorted((by_name[name] for name in item.pools if name in by_name), key=lambda room: -room.weight)
        for _ in range(item.count):
            node = _open_node(item, nodes) or _new_node(item, pools, nodes, largest_first)
            if node is None:
                return False
            node.take(item)
    return True


class _Node:
    """A machine of a pool, and what of it is free."""

    def __init__(self, room: Room, machine: Machine) -> None:
        self.room = room
        self.machine = machine
        self._free = dict(machine.devices)
        self._cpu, self._memory_gib = machine.cpu, machine.memory_gib
        self._models: set[str] = set()

    def left(self, resource: str) -> int:
        return self._free.get(resource, 0)

    def holds(self, item: Servers) -> bool:
        return (
            self.left(item.resource) >= item.devices
            and self._cpu >= item.cpu
            and self._memory_gib >= item.memory_gib
            and not (item.apart and item.name in self._models)
        )

    def take(self, item: Servers) -> None:
        self._free[item.resource] -= item.devices
        self._cpu -= item.cpu
        self._memory_gib -= item.memory_gib
        self._models.add(item.name)


def _open_node(item: Servers, nodes: Sequence[_Node]) -> _Node | None:
    """The fullest node that still has room."""
    able = [node for node in nodes if node.room.name in item.pools and node.holds(item)]
    return min(able, key=lambda node: node.left(item.resource), default=None)


def _new_node(item: Servers, pools: Sequence[Room], nodes: list[_Node], largest_first: bool) -> _Node | None:
    for machine, room in _in_order(pools, largest_first):
        mine = [node for node in nodes if node.room.name == room.name]
        gpus = sum(node.machine.gpus for node in mine) + machine.gpus
        if len(mine) < room.node_limit and gpus <= room.gpu_limit:
            node = _Node(room, machine)
            if node.holds(item):
                nodes.append(node)
                return node
    return None


def _in_order(pools: Sequence[Room], largest_first: bool) -> Iterator[tuple[Machine, Room]]:
    for room in pools:
        for machine in sorted(room.machines, key=lambda each: -each.gpus if largest_first else each.gpus):
            yield machine, room


def _sums_allow(item: Servers, fleet: Sequence[Servers], rooms: Sequence[Room]) -> bool:
    """Whether the pools of `item` have as many devices as the servers that can run nowhere else ask for."""
    bound = [each for each in fleet if each.resource == item.resource and set(each.pools) <= set(item.pools)]
    most = sum(_most_devices(room, item.resource) for room in rooms if room.name in item.pools)
    return sum(each.count * each.devices for each in bound) <= most


def _most_devices(room: Room, resource: str) -> int:
    """An upper bound of the devices of a resource that a pool may have."""
    per_gpu = max((each.devices.get(resource, 0) // each.gpus for each in room.machines if each.gpus), default=0)
    largest = max((machine.gpus for machine in room.machines), default=0)
    return min(room.gpu_limit, room.node_limit * largest) * per_gpu
