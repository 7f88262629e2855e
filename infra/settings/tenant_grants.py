"""What tenants are granted, in Kubernetes' terms, and what the pools behind it have."""

from collections.abc import Iterable, Mapping, Sequence

from infra.conventions import GPU_RESOURCE
from infra.planning.quota import Grant, slice_resource, sums
from infra.settings.node_pools import NodePoolSettings
from infra.settings.partitioning import MigLayoutSettings
from infra.settings.slices import devices_of, mig_of
from infra.settings.tenants import TenantQuota, TenantSettings


def grant_of(quota: TenantQuota, slices: Iterable[str]) -> Grant:
    """A quota; slices that the pools have and it does not name are refused."""
    named = {slice_resource(profile): count for profile, count in quota.mig_slices.items()}
    return Grant(
        gpus=quota.gpus,
        slices={**dict.fromkeys(sorted(slices), 0), **named},
        claimed_devices=quota.claimed_devices,
        cpu=quota.cpu,
        memory_gib=quota.memory_gib,
        ephemeral_storage_gib=quota.ephemeral_storage_gib,
        pods=quota.pods,
        persistent_volume_claims=quota.persistent_volume_claims,
        storage_gib=quota.storage_gib,
        load_balancers=quota.load_balancers,
    )


def slices_of_pools(pools: Iterable[NodePoolSettings], own: Sequence[MigLayoutSettings]) -> set[str]:
    """Extended resources of the slices that pools are cut into; a slice that counts as a whole GPU is none."""
    return {name for pool in pools for name in devices_at_most(pool, own)} - {GPU_RESOURCE}


def devices_at_most(pool: NodePoolSettings, own: Sequence[MigLayoutSettings]) -> Mapping[str, int]:
    """Devices of all nodes that a pool may start, by extended resource; nothing where its layout is not known."""
    if pool.partition and pool.partition.mig:
        found = mig_of(pool, own)
        if found is None or not set(found[1].devices) <= set(found[0].profiles):
            return {}
    return devices_of(pool, own, pool.limits.gpus)


def overcommitted(
    tenants: Iterable[TenantSettings], pools: Sequence[NodePoolSettings], own: Sequence[MigLayoutSettings]
) -> dict[str, tuple[int, int]]:
    """Devices of which quotas together grant more than the pools may start: granted and there, by resource."""
    slices = slices_of_pools(pools, own)
    there = sums(devices_at_most(pool, own) for pool in pools)
    grants = [grant_of(tenant.quota, slices) for tenant in tenants]
    granted = sums({GPU_RESOURCE: grant.gpus, **grant.slices} for grant in grants)
    return {name: (count, there.get(name, 0)) for name, count in granted.items() if count > there.get(name, 0)}
