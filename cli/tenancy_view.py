"""Tenants as a person reads them: who may use how much, and what of it is promised to several."""

from infra.settings import PlatformSettings
from infra.settings.tenant_grants import grant_of, overcommitted, slices_of_pools


def tenancy_as_text(settings: PlatformSettings) -> str:
    """Grants by tenant and what does not add up; empty where there is nothing to say."""
    notes = tenancy_notes(settings)
    if not settings.tenants:
        return "".join(f"Tenants\n  {note}\n" for note in notes)
    lines = [f"  {tenant.name} ({tenant.team}): {_granted(settings, tenant.name)}" for tenant in settings.tenants]
    return "\n".join(["Tenants", *lines, *(f"  note: {note}" for note in notes)]) + "\n"


def tenancy_as_json(settings: PlatformSettings) -> dict[str, object]:
    """The same for machines."""
    slices = slices_of_pools(settings.node_pools, settings.mig_layouts)
    return {
        "quotas": {tenant.name: grant_of(tenant.quota, slices).hard for tenant in settings.tenants},
        "notes": tenancy_notes(settings),
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


def _granted(settings: PlatformSettings, name: str) -> str:
    tenant = next(item for item in settings.tenants if item.name == name)
    grant = grant_of(tenant.quota, slices_of_pools(settings.node_pools, settings.mig_layouts))
    parts = [f"{grant.gpus} GPUs"]
    parts += [f"{count} x {resource.rpartition('/')[2]}" for resource, count in grant.slices.items() if count]
    limits = (("CPU", grant.cpu), ("GiB", grant.memory_gib), ("pods", grant.pods))
    parts += [f"{amount} {word}" for word, amount in limits if amount is not None]
    return ", ".join(parts)
