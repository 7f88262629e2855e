"""What a model's pods have beside the engine: a place apart, a cache that outlives them, callers that are let in."""

from typing import Literal, Self

from pydantic import model_validator

from infra.settings.values import DnsLabel, Flag, ObjectName, Positive, Settings, invalid


class Spread(Settings):
    """How far apart servers of one model stand."""

    nodes: Literal["required", "preferred"] = "preferred"
    """Whether each server must have a node of its own. Default: preferred; a node with free GPUs is used rather than
    another one bought, and a lost node may take two servers with it."""
    zones: Literal["required", "preferred"] = "preferred"
    """Whether servers must be spread evenly over the zones of their pools. Default: preferred, because GPUs are often
    to be had in one zone only; with required a server stays pending rather than stand in the wrong one. A server over
    several nodes is a group: all of it stands in one zone, and the groups are spread."""


class CompileCache(Settings):
    """Where the engine keeps what it has compiled: for small models a start takes longer for that than for weights.

    Figures and their source: docs/serving.md.
    """

    kind: Literal["node", "claim", "none"] = "node"
    """node: on the disk of the pod's node, gone with the pod. claim: a volume that all servers of the model share and
    that outlives them, with a folder for each image, GPU and set of arguments. none: nothing is kept.
    Default: node, which needs no storage."""
    storage_class: ObjectName | None = None
    """With claim: a StorageClass whose volumes many nodes may write at once (ReadWriteMany), such as one of EFS, and
    in which the engine's user may write."""
    gib: Positive = 20
    """With claim: its size in GiB. Default: our choice, for several folders; EFS does not enforce it."""

    @model_validator(mode="after")
    def _class_with_claim(self) -> Self:
        if self.kind == "claim" and not self.storage_class:
            raise invalid(
                "storageClass beside kind: claim, one whose volumes many nodes may write (ReadWriteMany)",
                "add storageClass, such as a class of the EFS driver",
            )
        if self.kind != "claim" and self.storage_class:
            raise invalid("storageClass only beside kind: claim", "remove storageClass, or write kind: claim")
        return self


class Clients(Settings):
    """Who may reach a model's servers, beyond the gateway and, for metrics, the monitoring namespace.

    Pods of the model's own namespace that carry the label `gpu-platform/client-of: <model>` may always. A policy sees
    addresses and ports and no paths: who is let in may call every path of the engine's port.
    """

    same_namespace: Flag = False
    """Whether every pod of the model's own namespace may call it."""
    namespaces: tuple[DnsLabel, ...] = ()
    """Namespaces of which every pod may call it."""
