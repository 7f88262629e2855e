"""What a server's pod is told of its place: how far apart, whom it yields to, and a cache that outlives it."""

from typing import NotRequired, TypedDict


class CompileCacheArgs(TypedDict):
    """Where the engine keeps what it has compiled."""

    kind: str
    """node: the pod's own disk. claim: a volume that all servers share. none: nothing is kept."""
    claim_name: NotRequired[str]
    """With claim: the PersistentVolumeClaim."""
    storage_class: NotRequired[str]
    """With claim: the StorageClass it is made of; without one the claim must be there."""
    gib: NotRequired[int]
    """With claim: its size in GiB. Default: 20."""
    gpu: NotRequired[str]
    """With claim: the GPU that the servers have, a part of the folder's name."""


class ServerPlaceArgs(TypedDict):
    """Where servers of one model stand, beside their pools."""

    priority_class: NotRequired[str]
    """PriorityClass of the pods; default: none."""
    nodes_apart: NotRequired[str]
    """required or preferred: whether each server has a node of its own. Default: preferred."""
    zones_apart: NotRequired[str]
    """required or preferred: whether servers are spread evenly over zones. Default: preferred."""
    zones: NotRequired[int]
    """With zones_apart required: in how many zones their pools can start nodes. Default: the scheduler knows only zones
    that have a node, and puts all servers into one when no other has."""
    compile_cache: NotRequired[CompileCacheArgs]
    """Where the engine keeps what it has compiled. Default: node."""


class RolloutArgs(TypedDict):
    """How a new version replaces the old one."""

    strategy: str
    """surge: a new server first. replace: an old one goes first. recreate: all go, then all come."""
    at_once: NotRequired[int]
    """Servers exchanged at once. Default: 1."""


class ClientsArgs(TypedDict):
    """Who may reach the servers. What is not named may not."""

    gateway_namespace: NotRequired[str]
    """Namespace of the gateway's proxies. Default: gateway."""
    monitoring_namespace: NotRequired[str]
    """Namespace of what scrapes metrics. Default: monitoring."""
    namespaces: NotRequired[list[str]]
    """Namespaces of which every pod may call them. Default: none."""
    same_namespace: NotRequired[bool]
    """Whether every pod of their own namespace may. Default: False; those that carry the label
    gpu-platform/client-of with the model's name may always."""
