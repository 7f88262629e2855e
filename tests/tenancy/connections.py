"""Whether NetworkPolicies let a connection pass, reckoned as Kubernetes documents it.

Source: Kubernetes documentation, Network Policies: a pod is isolated in a direction once any policy of its namespace
selects it for that direction; then what one of those policies allows may pass, and policies add up. A connection needs
both ends: egress of its source, ingress of its target. What answers it always may.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from infra.plan import Manifest

Json = Mapping[str, Any]


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, or an address outside the cluster.

    Attributes:
        namespace: empty for an address that is no pod's.
        ports: what the pod calls its ports.
        address: of a pod only where blocks of addresses are to hold for it. Kubernetes leaves that open; what must
            pass must not need it, and what must not pass must not pass by it.
    """

    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    address: str = ""
    ports: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Door:
    """A port of a pod, with the name that the pod has for it."""

    number: int
    name: str
    protocol: str


def passes(source: End, target: End, port: int, policies: Sequence[Manifest], protocol: str = "TCP") -> bool:
    """Whether `source` may open a connection to the pod's own `port` of `target`."""
    names = {number: name for name, number in target.ports}
    door = Door(port, names.get(port, ""), protocol)
    return _lets(policies, source, target, door, "Egress") and _lets(policies, target, source, door, "Ingress")


def _lets(policies: Sequence[Manifest], pod: End, other: End, door: Door, direction: str) -> bool:
    """Whether the policies that select `pod` allow that direction."""
    if not pod.namespace:
        return True  # no pod, so no policy
    mine = [
        item
        for item in policies
        if item.namespace == pod.namespace
        and direction in _directions(item.body["spec"])
        and _selects(item.body["spec"].get("podSelector", {}), dict(pod.labels))
    ]
    rules = [(item.namespace, rule) for item in mine for rule in item.body["spec"].get(direction.lower()) or ()]
    key = "to" if direction == "Egress" else "from"
    return not mine or any(
        _peers(rule.get(key), namespace, other) and _ports(rule.get("ports"), door) for namespace, rule in rules
    )


def _directions(spec: Json) -> Iterable[str]:
    return spec.get("policyTypes") or ("Ingress", *(["Egress"] if "egress" in spec else []))


def _peers(peers: Sequence[Json] | None, namespace: str, other: End) -> bool:
    """No peers at all are everybody."""
    return not peers or any(_is_peer(peer, namespace, other) for peer in peers)


def _is_peer(peer: Json, namespace: str, other: End) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        inside = [ip_network(cidr) for cidr in (block["cidr"], *(block.get("except") or ()))]
        return bool(other.address) and [ip_address(other.address) in net for net in inside] == [True] + [False] * (
            len(inside) - 1
        )
    if not other.namespace:
        return False
    place = {"kubernetes.io/metadata.name": other.namespace}
    there = _selects(peer["namespaceSelector"], place) if "namespaceSelector" in peer else other.namespace == namespace
    return there and _selects(peer.get("podSelector", {}), dict(other.labels))


def _ports(ports: Sequence[Json] | None, door: Door) -> bool:
    return not ports or any(_is_port(item, door) for item in ports)


def _is_port(item: Json, door: Door) -> bool:
    port = item.get("port")
    if item.get("protocol", "TCP") != door.protocol:
        return False
    if port is None or isinstance(port, str):
        return port in (None, door.name)
    return bool(port <= door.number <= item.get("endPort", port))


def _selects(selector: Json, labels: Mapping[str, str]) -> bool:
    equal = selector.get("matchLabels") or {}
    others = selector.get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in equal.items()) and all(
        _holds(item, labels) for item in others
    )


def _holds(item: Json, labels: Mapping[str, str]) -> bool:
    """A requirement on a label; without the label NotIn holds, and In does not."""
    value, values = labels.get(item["key"]), item.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[item["operator"]]
