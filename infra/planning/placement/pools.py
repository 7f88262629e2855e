"""NodePools and EC2NodeClasses of Karpenter as typed values: what nodes they allow and what they set on them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from infra.plan.manifests import Manifest
from infra.planning.placement.quantities import quantity


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a node label, of a NodePool or of a pod's node affinity.

    Attributes:
        operator: In, NotIn, Exists, DoesNotExist, Gt, Lt, and Karpenter's Gte, Lte.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def allows(self, value: str | None) -> bool:
        """Whether a node with this label value meets it; None stands for a node without the label."""
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt" | "Gte" | "Lte":
                return self._compares(value)
        return False

    def _compares(self, value: str | None) -> bool:
        if value is None or not value.isdigit() or len(self.values) != 1 or not self.values[0].isdigit():
            return False
        left, right = int(value), int(self.values[0])
        return {"Gt": left > right, "Lt": left < right, "Gte": left >= right, "Lte": left <= right}[self.operator]

    def __str__(self) -> str:
        return f"{self.key} {self.operator}" + (f" [{', '.join(self.values)}]" if self.values else "")


@dataclass(frozen=True, slots=True)
class Taint:
    """A node taint. `PreferNoSchedule` keeps no pod away for good and is ignored by placement."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.key}{'=' + self.value if self.value else ''}:{self.effect}"


@dataclass(frozen=True, slots=True)
class Toleration:
    """A pod toleration; an empty key with `Exists` tolerates everything, an empty effect every effect."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.operator == "Exists":
            return self.key in {"", taint.key}
        return (self.key, self.value) == (taint.key, taint.value)


@dataclass(frozen=True, slots=True)
class NodeClass:
    """What of an EC2NodeClass decides a node's size.

    Attributes:
        root_volume: size of the root volume in bytes; None when no block device mapping says it.
        raid0: whether local NVMe becomes the node's ephemeral storage.
        efa_only_interfaces: EFA interfaces it lists; None when it lists no interface and Karpenter takes them all.
        max_pods: kubelet's maxPods; None when the addresses decide.
        reserves: whether it selects capacity reservations.
    """

    name: str
    root_volume: Decimal | None = None
    raid0: bool = False
    efa_only_interfaces: int | None = None
    max_pods: int | None = None
    reserves: bool = False


@dataclass(frozen=True, slots=True)
class NodeOverlay:
    """What an operator tells Karpenter about nodes beyond what EC2 says (`karpenter.sh/v1alpha1`).

    Attributes:
        weight: where two speak of one resource the greater weight wins, then the name; 0 when not set.
        requirements: the nodes it speaks of.
        capacity: resources they have besides; never cpu, memory, ephemeral-storage or pods (its CRD).
    """

    name: str
    weight: int
    requirements: tuple[Requirement, ...]
    capacity: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class NodePool:
    """A Karpenter NodePool.

    Attributes:
        weight: pools of greater weight are tried first; 0 when not set.
        labels: labels of its node template.
        limits: most of each resource that its nodes may have together; `nodes` counts them.
        replicas: number of nodes of a static pool, None for one that follows the pods.
        node_class: its EC2NodeClass; one with Karpenter's defaults when the plan has none of that name.
        overlays: every NodeOverlay of the plan, the one that wins first.
    """

    name: str
    weight: int = 0
    requirements: tuple[Requirement, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    startup_taints: tuple[Taint, ...] = ()
    limits: Mapping[str, Decimal] = field(default_factory=dict)
    replicas: int | None = None
    node_class: NodeClass = NodeClass("")
    overlays: tuple[NodeOverlay, ...] = ()


def node_pools(manifests: Iterable[Manifest]) -> list[NodePool]:
    """The NodePools among the manifests, in the order Karpenter tries them: weight, then name."""
    manifests = list(manifests)
    classes = {
        item.name: _node_class(item.body) for item in manifests if _is(item, "karpenter.k8s.aws/", "EC2NodeClass")
    }
    overlays = [_overlay(item.body) for item in manifests if _is(item, "karpenter.sh/", "NodeOverlay")]
    overlays.sort(key=lambda item: (-item.weight, item.name))
    pools = [_pool(item.body, classes, tuple(overlays)) for item in manifests if _is(item, "karpenter.sh/", "NodePool")]
    return sorted(pools, key=lambda pool: (-pool.weight, pool.name))


def requirement(data: Mapping[str, Any]) -> Requirement:
    """A requirement from its manifest form."""
    return Requirement(str(data["key"]), str(data["operator"]), tuple(str(value) for value in data.get("values") or ()))


def _is(manifest: Manifest, group: str, kind: str) -> bool:
    return manifest.kind == kind and manifest.api_version.startswith(group)


def _overlay(body: Mapping[str, Any]) -> NodeOverlay:
    spec = body["spec"]
    return NodeOverlay(
        name=str(body["metadata"]["name"]),
        weight=int(spec.get("weight") or 0),
        requirements=tuple(requirement(item) for item in spec["requirements"]),
        capacity={key: quantity(value) for key, value in (spec.get("capacity") or {}).items()},
    )


def _pool(body: Mapping[str, Any], classes: Mapping[str, NodeClass], overlays: tuple[NodeOverlay, ...]) -> NodePool:
    spec = body.get("spec") or {}
    template = spec.get("template") or {}
    node = template.get("spec") or {}
    class_name = str((node.get("nodeClassRef") or {}).get("name", ""))
    return NodePool(
        name=str(body["metadata"]["name"]),
        weight=int(spec.get("weight") or 0),
        requirements=tuple(requirement(item) for item in node.get("requirements") or ()),
        labels={key: str(value) for key, value in ((template.get("metadata") or {}).get("labels") or {}).items()},
        taints=tuple(_taint(item) for item in node.get("taints") or ()),
        startup_taints=tuple(_taint(item) for item in node.get("startupTaints") or ()),
        limits={key: quantity(value) for key, value in (spec.get("limits") or {}).items()},
        replicas=int(spec["replicas"]) if spec.get("replicas") is not None else None,
        node_class=classes.get(class_name, NodeClass(class_name)),
        overlays=overlays,
    )


def _taint(data: Mapping[str, Any]) -> Taint:
    return Taint(str(data["key"]), str(data.get("value") or ""), str(data["effect"]))


def _node_class(body: Mapping[str, Any]) -> NodeClass:
    spec = body.get("spec") or {}
    interfaces = spec.get("networkInterfaces")
    efa_only = [item for item in interfaces or () if item.get("interfaceType") == "efa-only"]
    max_pods = (spec.get("kubelet") or {}).get("maxPods")
    return NodeClass(
        name=str(body["metadata"]["name"]),
        root_volume=_root_volume(spec),
        raid0=spec.get("instanceStorePolicy") == "RAID0",
        efa_only_interfaces=len(efa_only) if interfaces is not None else None,
        max_pods=int(max_pods) if max_pods is not None else None,
        reserves=bool(spec.get("capacityReservationSelectorTerms")),
    )


def _root_volume(spec: Mapping[str, Any]) -> Decimal | None:
    """As Karpenter finds it: the mapping marked `rootVolume`, else the AMI family's data device.

    Source: karpenter-provider-aws v1.14.1, pkg/providers/instancetype/types.go, ephemeralStorage; the devices are in
    pkg/providers/amifamily.
    """
    mappings = spec.get("blockDeviceMappings") or ()
    aliases = [str(term.get("alias", "")) for term in spec.get("amiSelectorTerms") or ()]
    device = "/dev/xvdb" if any(alias.startswith("bottlerocket@") for alias in aliases) else "/dev/xvda"
    marked = [item for item in mappings if item.get("rootVolume")]
    for item in [*marked, *(item for item in mappings if item.get("deviceName") == device)]:
        size = (item.get("ebs") or {}).get("volumeSize")
        if size is not None:
            return quantity(size)
    return None
