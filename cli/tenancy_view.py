"""Tenants as a person reads them: who may use how much, what of it is promised to several, and what is refused."""

from collections.abc import Sequence

from infra.plan import Manifest
from infra.planning.quota import shortfalls_of_plan, shown
from infra.settings import PlatformSettings
from infra.settings.tenant_grants import grant_of, overcommitted, slices_of_pools


def tenancy_as_text(settings: PlatformSettings, manifests: Sequence[Manifest]) -> str:
    """Grants by tenant and what does not add up; empty where there is nothing to say.

    Args:
        manifests: everything that would be in the cluster; checks of the settings reckon with what they know of it.
    """
    notes = tenancy_notes(settings)
    if not settings.tenants:
        return "".join(f"Tenants\n  {note}\n" for note in notes)
    lines = [f"  {tenant.name} ({tenant.team}): {_granted(settings, tenant.name)}" for tenant in settings.tenants]
    lines += [f"  note: {note}" for note in notes] + [f"  refused: {line}" for line in refusals(manifests)]
    return "\n".join(["Tenants", *lines]) + "\n"


def tenancy_as_json(settings: PlatformSettings, manifests: Sequence[Manifest]) -> dict[str, object]:
    """The same for machines."""
    slices = slices_of_pools(settings.node_pools, settings.mig_layouts)
    return {
        "quotas": {tenant.name: grant_of(tenant.quota, slices).hard for tenant in settings.tenants},
        "notes": tenancy_notes(settings),
        "refused": refusals(manifests),
    }


def tenancy_notes(settings: PlatformSettings) -> list[str]:
    """What is allowed and should be known."""
    if not settings.tenants:
        served = sorted({model.namespace for model in settings.models})
        if settings.stage != "production" or not served:
            return []
        return [f"none in production: {', '.join(served)} has no quota, and only its model servers a network policy"]
    over = overcommitted(settings.tenants, settings.node_pools, settings.mig_layouts)
    return [
        f"quotas grant {granted} of {name} and pools may start {there}: whoever comes first has them"
        for name, (granted, there) in over.items()
    ]


def refusals(manifests: Sequence[Manifest]) -> list[str]:
    """What the quotas of a plan would refuse of the plan itself."""
    return [
        f"{namespace} may have {shown(short.key, short.granted)} of {short.key}, and the plan has"
        f" {shown(short.key, short.asked)}: {', '.join(ask.share(short.key) for ask in short.asks)}"
        for namespace, missing in sorted(shortfalls_of_plan(manifests).items())
        for short in missing
    ]


def _granted(settings: PlatformSettings, name: str) -> str:
    tenant = next(item for item in settings.tenants if item.name == name)
    grant = grant_of(tenant.quota, slices_of_pools(settings.node_pools, settings.mig_layouts))
    parts = [f"{grant.gpus} GPUs"]
    parts += [f"{count} x {resource.rpartition('/')[2]}" for resource, count in grant.slices.items() if count]
    limits = (
        ("CPU", grant.cpu),
        ("GiB", grant.memory_gib),
        ("pods", grant.pods),
        ("claims", grant.persistent_volume_claims),
        ("GiB of claims", grant.storage_gib),
        ("load balancers", grant.load_balancers or None),
    )
    parts += [f"{amount} {word}" for word, amount in limits if amount is not None]
    return ", ".join(parts)
