"""Who may reach the cluster, and what every environment on AWS must say."""

from collections.abc import Iterator

from infra.errors import Problem
from infra.settings.checks.draft import Draft

MANDATORY_TAGS = ("owner", "cost-center")
WORLD = "0.0.0.0/0"


def required_areas(draft: Draft) -> Iterator[Problem]:
    if draft.target is None or draft.target == "local":
        return
    needed = {"aws": draft.aws} | ({"network": draft.network} if draft.target == "eks" else {})
    for area, value in needed.items():
        if value is None and area not in draft.broken_areas:
            yield Problem(area, "nothing", f"the area {area}, which target {draft.target} needs", f"add {area}")


def mandatory_tags(draft: Draft) -> Iterator[Problem]:
    if draft.target in (None, "local") or draft.tags is None:
        return
    for tag in MANDATORY_TAGS:
        if not draft.tags.get(tag):
            yield Problem(
                "tags", f"no {tag}", f"the tags {' and '.join(MANDATORY_TAGS)} outside local", f"add tags.{tag}"
            )


def endpoint_closed(draft: Draft) -> Iterator[Problem]:
    """The API is open to the world in development at most."""
    if draft.cluster is None or draft.stage in (None, "development"):
        return
    for position, cidr in enumerate(draft.cluster.public_cidrs):
        if cidr == WORLD:
            yield Problem(
                f"cluster.publicCidrs[{position}]",
                f'"{cidr}"',
                f"ranges of your own in {draft.stage}; the whole world only in development",
                "name the ranges of your office or VPN, or remove publicCidrs for a private endpoint",
            )


def somebody_may_enter(draft: Draft) -> Iterator[Problem]:
    """The creator of the cluster has no rights of its own, so an entry must give somebody all of them."""
    if draft.target != "eks" or draft.cluster is None:
        return
    if not any(entry.access == "cluster-admin" and not entry.namespaces for entry in draft.cluster.access):
        yield Problem(
            "cluster.access",
            f"{len(draft.cluster.access)} entries, none of them cluster-admin",
            "at least one entry with access: cluster-admin and no namespaces, the role that runs pulumi up among them",
            "add an entry with name, principalArn and access: cluster-admin",
        )


def context_only_elsewhere(draft: Draft) -> Iterator[Problem]:
    """A cluster of our own is reached by its own kubeconfig."""
    if draft.target == "eks" and draft.cluster and draft.cluster.context:
        yield Problem(
            "cluster.context",
            f'"{draft.cluster.context}"',
            "no context with target eks: the kubeconfig comes from the cluster",
            "remove it, or write target: existing",
        )
