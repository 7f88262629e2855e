"""From EC2NodeClass to the kwok provider's own class, and what became of every field, for people to read.

The EC2NodeClass itself is applied as it is: the API server judges it. But nobody acts on it, so a NodePool points to a
KWOKNodeClass of the same name instead. That is all that is changed in a NodePool.
"""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass

from infra.plan.manifests import Manifest
from simulator.karpenter.instance_types import reservations_of, size_conflicts

_GROUP, _KIND = "karpenter.kwok.sh", "KWOKNodeClass"

_NO_BOOT = "nothing: no machine boots"
_NO_RIGHTS = "nothing: no machine, no rights in AWS"
_NO_NETWORK = "nothing: no packet flows"

# Field of `EC2NodeClass.spec` (karpenter-provider-aws v1.14.1) -> what it became.
_BECAME = {
    "amiFamily": _NO_BOOT,
    "amiSelectorTerms": _NO_BOOT,
    "associatePublicIPAddress": _NO_NETWORK,
    "blockDeviceMappings": "ephemeral-storage of the instance types, from the size of the root volume",
    "capacityReservationSelectorTerms": "offerings of capacity type reserved, for the pools of the class alone",
    "connectionTracking": _NO_NETWORK,
    "context": _NO_BOOT,
    "cpuOptions": _NO_BOOT,
    "detailedMonitoring": "nothing: there is no CloudWatch",
    "instanceProfile": _NO_RIGHTS,
    "instanceStorePolicy": "ephemeral-storage of the instance types with NVMe",
    "ipPrefixCount": _NO_NETWORK,
    "kubelet": "pods of the instance types, from maxPods; the rest is nothing: there is no kubelet",
    "metadataOptions": "nothing: there is no metadata service",
    "networkInterfaces": "vpc.amazonaws.com/efa of the instance types",
    "placementGroupSelector": "nothing: machines stand nowhere",
    "role": _NO_RIGHTS,
    "securityGroupSelectorTerms": _NO_NETWORK,
    "subnetSelectorTerms": "zones of the offerings, from the requirements of the pools",
    "tags": "nothing: nothing is made in AWS",
    "userData": _NO_BOOT,
}


@dataclass(frozen=True, slots=True)
class Rewritten:
    """One thing that was changed for the simulated machines.

    Attributes:
        kind: of the objects: EC2NodeClass, NodePool, or instance type where sizes are concerned.
        names: the objects it was found in.
        field: the field of their spec.
        into: what it became.
    """

    kind: str
    names: tuple[str, ...]
    field: str
    into: str

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(self.names)}: {self.field} -> {self.into}"


def rewritten(manifests: Iterable[Manifest]) -> list[Manifest]:
    """The manifests with NodePools that point to KWOKNodeClasses, each class right before its first pool."""
    found: list[Manifest] = []
    made: set[str] = set()
    for manifest in manifests:
        if _is_pool(manifest):
            name = _class_of(manifest)
            if name not in made:
                made.add(name)
                found.append(_kwok_class(name, manifest.urn))
            found.append(_repointed(manifest, name))
        else:
            found.append(manifest)
    return found


def changes(manifests: Iterable[Manifest]) -> list[Rewritten]:
    """Everything that `rewritten` and `instance_types` made of the classes and pools among the manifests."""
    manifests = list(manifests)
    classes = [item for item in manifests if item.kind == "EC2NodeClass"]
    fields = sorted({field for item in classes for field in item.body.get("spec") or {}})
    found = [
        Rewritten("EC2NodeClass", _names(classes, field), field, _BECAME.get(field, "nothing: not known here"))
        for field in fields
    ]
    pools = [item for item in manifests if _is_pool(item)]
    if pools:
        names = tuple(pool.name for pool in pools)
        found.append(Rewritten("NodePool", names, "nodeClassRef", f"a {_KIND} of the name that it gives"))
    for reservation in reservations_of(manifests):
        assumed = f"at most {reservation.machines}, the pool's limit, of any type of it; EC2 alone knows type and size"
        found.append(Rewritten("NodePool", reservation.pools, f"capacity reservation {reservation.id}", assumed))
    if conflicts := size_conflicts(manifests):
        found.append(Rewritten("instance type", tuple(conflicts), "sizes that differ", "the smallest of them"))
    return found


def _names(classes: Sequence[Manifest], field: str) -> tuple[str, ...]:
    return tuple(item.name for item in classes if field in (item.body.get("spec") or {}))


def _is_pool(manifest: Manifest) -> bool:
    return manifest.kind == "NodePool" and manifest.api_version.startswith("karpenter.sh/")


def _class_of(pool: Manifest) -> str:
    return str(pool.body["spec"]["template"]["spec"]["nodeClassRef"]["name"])


def _kwok_class(name: str, urn: str) -> Manifest:
    body = {"apiVersion": f"{_GROUP}/v1alpha1", "kind": _KIND, "metadata": {"name": name}, "spec": {}}
    return Manifest(body, urn)


def _repointed(pool: Manifest, name: str) -> Manifest:
    body = deepcopy(pool.body)
    body["spec"]["template"]["spec"]["nodeClassRef"] = {"group": _GROUP, "kind": _KIND, "name": name}
    return Manifest(body, pool.urn)
