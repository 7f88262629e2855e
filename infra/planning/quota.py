"""What a namespace may ask for and what its pods would ask for, as Kubernetes counts it.

A ResourceQuota refuses pods at admission, long after the Deployment was accepted: the servers are simply not there, and
only an event of the ReplicaSet says why. So the two numbers are compared before anything is made.
Sources: Kubernetes documentation, resource quotas; k8s.io/kubernetes v1.36.3, pkg/quota/v1/evaluator/core (read
2026-11-21): extended resources are counted by `requests.` keys only; `limits.nvidia.com/gpu` is accepted as a key and
never counts; claimed devices have a key for each device class.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from infra.conventions import GPU_RESOURCE, MIG_RESOURCE_PREFIX
from infra.plan.manifests import Manifest
from infra.planning.placement.pods import PodDemand, pod_demands
from infra.planning.placement.quantities import quantity

# NVIDIA's DRA driver makes this device class (chart 0.4.1).
CLAIMED_KEY = "gpu.nvidia.com.deviceclass.resource.k8s.io/devices"

# Resources of a pod, and the keys a quota counts them under.
_PLAIN = {"cpu": "requests.cpu", "memory": "requests.memory", "ephemeral-storage": "requests.ephemeral-storage"}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a namespace is granted. None is no limit.

    Attributes:
        slices: MIG slices by extended resource, such as nvidia.com/mig-3g.40gb; 0 refuses them.
        load_balancers: Services of type LoadBalancer.
    """

    gpus: int
    slices: Mapping[str, int] = field(default_factory=dict)
    claimed_devices: int = 0
    cpu: int | None = None
    memory_gib: int | None = None
    ephemeral_storage_gib: int | None = None
    pods: int | None = None
    persistent_volume_claims: int | None = None
    storage_gib: int | None = None
    load_balancers: int = 0

    @property
    def hard(self) -> dict[str, str]:
        """`ResourceQuota.spec.hard`."""
        gib = {
            "requests.memory": self.memory_gib,
            "requests.ephemeral-storage": self.ephemeral_storage_gib,
            "requests.storage": self.storage_gib,
        }
        counts = {
            "requests.cpu": self.cpu,
            "pods": self.pods,
            "persistentvolumeclaims": self.persistent_volume_claims,
            "services.loadbalancers": self.load_balancers,
            # A load balancer's Service takes node ports, so they can be closed only where there is none.
            "services.nodeports": None if self.load_balancers else 0,
            quota_key(GPU_RESOURCE): self.gpus,
            **{quota_key(name): count for name, count in self.slices.items()},
            CLAIMED_KEY: self.claimed_devices,
        }
        sizes = {key: f"{value}Gi" for key, value in gib.items() if value is not None}
        return sizes | {key: str(value) for key, value in counts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Ask:
    """What one owner's pods ask for when there are most of them.

    Attributes:
        owner: who, as a person names it.
        pods: how many at once, those of a rollout among them.
        requests: of one pod, by resource, in cores, bytes and devices.
    """

    owner: str
    pods: int
    requests: Mapping[str, Decimal]

    def amounts(self) -> dict[str, Decimal]:
        """What counts against a quota, by its key."""
        counted = {quota_key(name): amount * self.pods for name, amount in self.requests.items()}
        return {**counted, "pods": Decimal(self.pods)}

    def share(self, key: str) -> str:
        """Its part of what is asked for, as a person reads it."""
        if key == "pods":
            return f"{self.owner} {self.pods}"
        return f"{self.owner} {self.pods} x {shown(key, self.amounts()[key] / self.pods)}"


@dataclass(frozen=True, slots=True)
class Objects:
    """What one owner asks for beside pods: claims on storage, load balancers.

    Attributes:
        owner: who, as a person names it.
        counted: amounts by the key of a quota, bytes of storage.
    """

    owner: str
    counted: Mapping[str, Decimal]

    def amounts(self) -> dict[str, Decimal]:
        """What counts against a quota, by its key."""
        return dict(self.counted)

    def share(self, key: str) -> str:
        """Its part of what is asked for, as a person reads it."""
        return f"{self.owner} {shown(key, self.counted[key])}"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A quota that refuses some of what is asked for; amounts in the key's own unit, bytes for memory and disk."""

    key: str
    granted: Decimal
    asked: Decimal
    asks: tuple[Ask | Objects, ...]


def quota_key(resource: str) -> str:
    """The key a quota counts a resource of pods under."""
    return _PLAIN.get(resource) or f"requests.{resource}"


def slice_resource(profile: str) -> str:
    """The extended resource of a MIG profile, as NVIDIA's device plugin names it."""
    return f"{MIG_RESOURCE_PREFIX}{profile.replace('+', '.')}"


def shortfalls(hard: Mapping[str, str], asks: Sequence[Ask | Objects]) -> Iterator[Shortfall]:
    """Every key of a quota that is smaller than what is asked for."""
    for key, value in hard.items():
        granted = quantity(value)
        those = [ask for ask in asks if ask.amounts().get(key)]
        asked = sum((ask.amounts()[key] for ask in those), Decimal(0))
        if asked > granted:
            yield Shortfall(key, granted, asked, tuple(those))


def shortfalls_of_plan(manifests: Sequence[Manifest]) -> dict[str, list[Shortfall]]:
    """What the quotas among the manifests would refuse of pods, claims and load balancers among them, by namespace."""
    asks: dict[str, list[Ask | Objects]] = {}
    for item in manifests:
        if counted := _counted(item):
            asks.setdefault(item.namespace, []).append(Objects(f"{item.kind} {item.namespace}/{item.name}", counted))
    surges = {f"{item.kind} {item.namespace}/{item.name}": _surge(item) for item in manifests}
    for demand in pod_demands(manifests):
        if not demand.per_node:
            pods = demand.count + surges.get(demand.owner, 0)
            asks.setdefault(demand.namespace, []).append(_ask(demand, pods))
    found = {}
    for item in manifests:
        if item.kind == "ResourceQuota":
            found[item.namespace] = list(shortfalls(item.body["spec"]["hard"], asks.get(item.namespace, [])))
    return {namespace: missing for namespace, missing in found.items() if missing}


def shown(key: str, amount: Decimal) -> str:
    """An amount as a person reads it: GiB where the key counts bytes."""
    size = key in ("requests.memory", "requests.ephemeral-storage", "requests.storage")
    number = amount / 2**30 if size else amount
    return f"{number.normalize():f}" + (" GiB" if size else "")


def sums(grants: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Devices of several grants or pools together, by extended resource."""
    total: dict[str, int] = {}
    for grant in grants:
        for name, count in grant.items():
            total[name] = total.get(name, 0) + count
    return total


def _ask(demand: PodDemand, pods: int) -> Ask:
    return Ask(demand.owner, pods, {name: amount for name, amount in demand.requests.items() if name != "pods"})


def _counted(item: Manifest) -> dict[str, Decimal]:
    """What an object that is no pod counts against a quota."""
    spec = item.body.get("spec") or {}
    if item.kind == "PersistentVolumeClaim":
        return {
            "persistentvolumeclaims": Decimal(1),
            "requests.storage": quantity(spec["resources"]["requests"]["storage"]),
        }
    if item.kind != "Service" or spec.get("type") not in ("LoadBalancer", "NodePort"):
        return {}
    balanced = {"services.loadbalancers": Decimal(1)} if spec["type"] == "LoadBalancer" else {}
    # A Service of type LoadBalancer has node ports too, unless it does without.
    ports = 0 if balanced and spec.get("allocateLoadBalancerNodePorts") is False else len(spec.get("ports") or ())
    return {**balanced, **({"services.nodeports": Decimal(ports)} if ports else {})}


def _surge(item: Manifest) -> int:
    """Pods that a rollout of a Deployment adds; a percentage is rounded up, as its controller does."""
    if item.kind != "Deployment":
        return 0
    spec = item.body["spec"]
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    given = str((strategy.get("rollingUpdate") or {}).get("maxSurge", "25%"))
    replicas = int(spec.get("replicas") or 1)
    return -(-replicas * int(given[:-1]) // 100) if given.endswith("%") else int(given)
