"""What a destroy of a plan leaves, refuses or takes away only later."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from infra.plan import Plan, PlannedResource
from infra.planning.destroy.graph import is_operation

Fate = Literal["refuses", "stays", "leaves", "goes later"]


@dataclass(frozen=True, slots=True)
class Survivor:
    """Something that a destroy does not simply remove.

    Attributes:
        what: the resource, as people know it.
        fate: refuses the destroy; stays; leaves something that no state knows; or goes later.
        how: what to do about it.
        billed: whether it costs money meanwhile.
    """

    what: str
    fate: Fate
    how: str
    billed: bool = True

    def as_json(self) -> dict[str, object]:
        """As data for machines."""
        return {"what": self.what, "fate": self.fate, "how": self.how, "billed": self.billed}


# A protected guard refuses for the sake of others, and holds nothing itself.
_HOOK = "command:local:Command"


def survivors(plan: Plan) -> list[Survivor]:
    """Everything of the plan that a destroy does not simply remove; what refuses it comes first."""
    found = [survivor for resource in plan if is_operation(resource) for survivor in _of(resource)]
    order = ("refuses", "stays", "leaves", "goes later")
    return sorted(found, key=lambda survivor: (order.index(survivor.fate), survivor.what))


def survivors_as_text(found: list[Survivor]) -> str:
    """For people; ends with a newline."""
    if not found:
        return "After a destroy nothing is left.\n"
    lines = ["A destroy is not the end of these"]
    widths = max(len(item.what) for item in found)
    for item in found:
        billed = ", billed meanwhile" if item.billed and item.fate != "refuses" else ""
        lines.append(f"  {item.what:{widths}}  {item.fate}{billed}: {item.how}")
    return "\n".join(lines) + "\n"


def _of(resource: PlannedResource) -> Iterator[Survivor]:
    name = _name(resource)
    if resource.options.protect and resource.type_token != _HOOK:
        yield Survivor(
            name, "refuses", "set cluster.deletionProtection to false and run `pulumi up`, then the destroy again"
        )
    if resource.options.retain_on_delete:
        yield Survivor(name, "stays", "delete it by hand when nobody needs what it holds")
    later = _LATER.get(resource.type_token)
    if later is not None and not resource.options.retain_on_delete:
        yield later(name, resource.inputs)
    elif _keeps_volumes(resource):
        yield Survivor(
            name, "leaves", "volumes made for it stay, as its reclaim policy Retain says; delete them by hand"
        )


def _name(resource: PlannedResource) -> str:
    inputs = resource.inputs
    metadata = inputs.get("metadata")
    called = (
        metadata.get("name") if isinstance(metadata, dict) else inputs.get("name") or inputs.get("ecrRepositoryPrefix")
    )
    return f"{resource.type_token.rpartition(':')[2]} {called if isinstance(called, str) else resource.name}"


def _key(name: str, inputs: Mapping[str, object]) -> Survivor:
    days = inputs.get("deletionWindowInDays", 30)
    return Survivor(
        name, "goes later", f"AWS deletes it after {days} days; until then it can be restored", billed=False
    )


def _pull_through(name: str, inputs: Mapping[str, object]) -> Survivor:
    prefix = inputs.get("ecrRepositoryPrefix")
    how = f"ECR made a repository under {prefix}/ for each image that was pulled; delete them by hand"
    return Survivor(name, "leaves", how)


# Types whose deletion is not what it seems. Sources: AWS KMS developer guide, deleting keys (no charge while a key
# waits for its deletion); Amazon ECR user guide, pull through cache (repositories are made on the first pull and are
# the user's to delete).
_LATER: dict[str, Callable[[str, Mapping[str, object]], Survivor]] = {
    "aws:kms/key:Key": _key,
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": _pull_through,
}


def _keeps_volumes(resource: PlannedResource) -> bool:
    if not resource.is_kubernetes_object:
        return False
    spec = resource.inputs.get("spec")
    if isinstance(spec, dict) and "claimRef" in spec:
        return False  # a window on a file system or bucket, which is listed itself
    given = [resource.inputs.get("reclaimPolicy")]
    given += [spec.get("persistentVolumeReclaimPolicy")] if isinstance(spec, dict) else []
    return "Retain" in given
