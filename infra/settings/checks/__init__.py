"""What spans areas of the settings: names that must agree, numbers that must fit.

Each check reads a `Draft`, the parts that are valid by themselves, so that one wrong value does not hide the others.
A check says nothing about what it cannot see.
"""

from collections.abc import Callable, Iterator

from infra.errors import Problem
from infra.settings.checks import (
    access,
    checkpoints,
    exposure,
    fabric,
    gateway,
    model_slices,
    partitions,
    places,
    storage,
    tenants,
    workloads,
)
from infra.settings.checks.draft import Draft

CHECKS: tuple[Callable[[Draft], Iterator[Problem]], ...] = (
    access.required_areas,
    access.mandatory_tags,
    access.endpoint_closed,
    access.somebody_may_enter,
    access.context_only_elsewhere,
    places.region_and_zones,
    places.enough_zones,
    places.control_plane_zones,
    places.ranges_hold_subnets,
    places.ranges_apart,
    places.pool_zones_in_network,
    places.machines_offered,
    places.reservations_in_pool,
    fabric.efa_machines,
    fabric.fabric_in_one_zone,
    fabric.host_network_for_training,
    fabric.placement_groups_are_used,
    fabric.reservations_in_their_group,
    fabric.hybrid_networks_apart,
    workloads.unique_names,
    workloads.known_pools,
    workloads.pools_for_inference,
    workloads.parallel_fits_node,
    workloads.parallel_divides_heads,
    workloads.context_within_model,
    workloads.checkpoint_size_known,
    workloads.traffic_fits_capacity,
    workloads.drain_fits,
    workloads.destroy_waits_for_requests,
    storage.known_stores,
    storage.unique_stores,
    storage.places_of_stores,
    storage.buckets_made_here,
    storage.kinds_fit_models,
    storage.pinned_downloads,
    storage.writable_claims,
    storage.bursting_fits,
    storage.zones_of_stores,
    storage.nvme_is_there,
    checkpoints.checkpoints_fit,
    checkpoints.scratch_has_a_target,
    exposure.nothing_exposed_to_everybody,
    exposure.exposure_waits_long_enough,
    gateway.nothing_public_without_a_key,
    gateway.known_route_models,
    gateway.weights_make_a_whole,
    gateway.routes_apart,
    gateway.generations_fit_time_outs,
    gateway.pickers_possible,
    gateway.paths_lead_to_one_model,
    gateway.limits_can_be_counted,
    gateway.overflow_ends,
    gateway.long_contexts_fit,
    partitions.layouts_named_once,
    partitions.layout_profiles_known,
    partitions.gpus_have_mig,
    partitions.layouts_fit,
    partitions.single_is_uniform,
    partitions.no_sharing_in_production,
    partitions.operator_installed,
    partitions.consolidation_waits,
    partitions.claims_on_static_pools,
    model_slices.same_kind_of_share,
    model_slices.no_models_by_claim,
    model_slices.one_slice_a_server,
    model_slices.profile_in_layout,
    model_slices.weights_fit_slice,
    model_slices.shares_of_memory,
    tenants.names_of_tenants,
    tenants.namespaces_have_tenants,
    tenants.quotas_hold_models,
    tenants.guaranteed_quotas_fit,
    tenants.profiles_are_cut,
    tenants.memory_within_default_range,
    tenants.privileges_of_groups,
    tenants.downloads_are_open,
    tenants.groups_are_given,
    tenants.stores_are_there,
)


def problems_across_areas(draft: Draft) -> Iterator[Problem]:
    """Every problem that no single value shows."""
    for check in CHECKS:
        yield from check(draft)


__all__ = ["Draft", "problems_across_areas"]
