"""What tenants must agree with: the models in their namespaces, the pools behind their quotas, who may enter."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from math import ceil

from infra.conventions import GATEWAY_NAMESPACE, GPU_RESOURCE, MIG_RESOURCE_PREFIX, MONITORING_NAMESPACE
from infra.errors import Problem
from infra.planning.quota import Ask, Objects, Shortfall, shortfalls, shown, slice_resource, sums
from infra.settings.canary import routes_with_canaries, servers_beside
from infra.settings.checks.draft import Draft
from infra.settings.gateway_routes import models_of, picked_models
from infra.settings.models import ModelSettings
from infra.settings.storage import StorageSettings
from infra.settings.tenant_claims import objects_of
from infra.settings.tenant_demand import asks_of, downloads_itself, fetching_store, pickers_of
from infra.settings.tenant_grants import devices_at_most, grant_of, slices_of_pools
from infra.settings.tenants import TenantSettings
from infra.settings.values import did_you_mean

# Namespaces of the platform's own operators.
_OF_THE_PLATFORM = (GATEWAY_NAMESPACE, MONITORING_NAMESPACE, "external-secrets", "gpu-operator", "cert-manager")

# The setting behind a key of a quota.
_SETTINGS = {
    f"requests.{GPU_RESOURCE}": "gpus",
    "requests.cpu": "cpu",
    "requests.memory": "memoryGib",
    "requests.ephemeral-storage": "ephemeralStorageGib",
    "pods": "pods",
    "persistentvolumeclaims": "persistentVolumeClaims",
    "requests.storage": "storageGib",
    "services.loadbalancers": "loadBalancers",
}

# What else than more would do, by the same key; most are pods.
_OTHERWISE = {
    "persistentvolumeclaims": "keep weights and checkpoints in fewer stores",
    "requests.storage": "give the stores less capacityGib, or models without them",
    "services.loadbalancers": "lead to it by expose.kind: Ingress or by a route of the gateway, which need none",
}


def names_of_tenants(draft: Draft) -> Iterator[Problem]:
    """A namespace has one tenant, and none is the platform's."""
    seen: dict[str, int] = {}
    for index, tenant in draft.tenants:
        if tenant.name in _OF_THE_PLATFORM:
            yield Problem(
                f"tenants[{index}].name", f'"{tenant.name}"', "a namespace of the team's own; this is the platform's",
                f'write "{tenant.team or "team"}-{tenant.name}"',
            )  # fmt: skip
        if tenant.name in seen:
            yield Problem(
                f"tenants[{index}].name",
                f'"{tenant.name}"',
                f"a namespace no other tenant has; tenants[{seen[tenant.name]}] has it",
                "rename one of them, or give the team one entry",
            )
        seen.setdefault(tenant.name, index)


def namespaces_have_tenants(draft: Draft) -> Iterator[Problem]:
    """With tenants, whatever is served or kept belongs to one; without any, nothing changes."""
    if not draft.tenants or "tenants" in draft.broken_areas:
        return
    names = sorted(tenant.name for _, tenant in draft.tenants)
    places = [(f"models[{index}].namespace", model.namespace) for index, model in draft.models]
    stores = draft.storage.checkpoints if draft.storage else ()
    places += [(f"storage.checkpoints[{index}].namespace", store.namespace) for index, store in enumerate(stores)]
    for path, namespace in places:
        if namespace not in names:
            yield Problem(
                path,
                f'"{namespace}"',
                f"the namespace of a tenant: {', '.join(names)}",
                did_you_mean(namespace, names, f'write one of them, or add a tenant "{namespace}"'),
            )


def quotas_hold_models(draft: Draft) -> Iterator[Problem]:
    """A quota below what is asked for leaves servers out, and only an event says so; claims and load balancers are
    refused in the middle of an `up`."""
    storage = draft.storage or StorageSettings()
    slices = slices_of_pools([pool for _, pool in draft.node_pools], draft.mig_layouts or ())
    for index, tenant, models in _tenants_with_models(draft):
        asks: list[Ask | Objects] = [*_asks(draft, models), *_pickers(draft, models)]
        asks += objects_of(tenant.name, models, storage)
        for short in shortfalls(grant_of(tenant.quota, slices).hard, asks):
            yield _too_small(index, short)


def _too_small(index: int, short: Shortfall) -> Problem:
    setting = _SETTINGS.get(short.key)
    profile = short.key.removeprefix(f"requests.{MIG_RESOURCE_PREFIX}")
    path = f"tenants[{index}].quota.{setting}" if setting else f"tenants[{index}].quota.migSlices"
    asked = shown(short.key, short.asked)
    need = ceil(Decimal(asked.removesuffix(" GiB")))
    mend = f"write {setting}: {need}" if setting else f"write {{{profile}: {need}}}"
    otherwise = _OTHERWISE.get(short.key, "serve less; a rollout's extra server counts")
    return Problem(
        path,
        shown(short.key, short.granted) + ("" if setting else f" of {profile}"),
        f"at least {asked}: {', '.join(ask.share(short.key) for ask in short.asks)}",
        f"{mend}, or {otherwise}",
    )


def guaranteed_quotas_fit(draft: Draft) -> Iterator[Problem]:
    """What is promised to several must be there for all at once."""
    if draft.broken_areas & {"nodePools", "tenants"}:
        return
    slices = slices_of_pools([pool for _, pool in draft.node_pools], draft.mig_layouts or ())
    there = sums(devices_at_most(pool, draft.mig_layouts or ()) for _, pool in draft.node_pools)
    promised = [(index, tenant) for index, tenant in draft.tenants if tenant.quota.guaranteed]
    total: dict[str, int] = {}
    for index, tenant in promised:
        grant = grant_of(tenant.quota, slices)
        total = sums([total, {GPU_RESOURCE: grant.gpus, **grant.slices}])
        for resource, count in total.items():
            if count > there.get(resource, 0) and (resource == GPU_RESOURCE or grant.slices.get(resource)):
                yield Problem(
                    f"tenants[{index}].quota.guaranteed",
                    f"{count} of {resource} promised up to here",
                    f"at most {there.get(resource, 0)}: what the pools under nodePools may start",
                    "promise less, raise the pools' limits, or leave guaranteed out",
                )


def profiles_are_cut(draft: Draft) -> Iterator[Problem]:
    """A quota of slices that no pool has is a spelling mistake."""
    if draft.broken_areas & {"nodePools", "migLayouts"}:
        return
    slices = slices_of_pools([pool for _, pool in draft.node_pools], draft.mig_layouts or ())
    names = sorted(name.removeprefix(MIG_RESOURCE_PREFIX) for name in slices)
    for index, tenant in draft.tenants:
        for profile in tenant.quota.mig_slices:
            if slice_resource(profile) not in slices:
                yield Problem(
                    f"tenants[{index}].quota.migSlices",
                    f'"{profile}"',
                    f"a profile that a pool is cut into: {', '.join(names) or 'no pool is cut'}",
                    did_you_mean(profile, names, "name another profile, or cut a pool into it"),
                )


def memory_within_default_range(draft: Draft) -> Iterator[Problem]:
    """A container above the largest memory of its namespace is refused."""
    for index, tenant, models in _tenants_with_models(draft):
        most = tenant.defaults.max_memory_gib
        if most is None:
            continue
        asks = _asks(draft, models)
        worst = max(asks, key=lambda ask: ask.requests["memory"], default=None)
        if worst and worst.requests["memory"] > most * 2**30:
            need = shown("requests.memory", worst.requests["memory"])
            yield Problem(
                f"tenants[{index}].defaults.maxMemoryGib",
                str(most),
                f"at least {need}, which one server of {worst.owner} has",
                f"write maxMemoryGib: {need.removesuffix(' GiB')}, or leave it out",
            )


def privileges_of_groups(draft: Draft) -> Iterator[Problem]:
    """A server over several nodes locks memory for EFA, which only the privileged level lets it."""
    levels = {tenant.name: (index, tenant.pod_security) for index, tenant in draft.tenants}
    for position, model in draft.models:
        over_efa = [pool.name for pool in draft.pools_of(model) if pool.fabric == "efa"]
        if model.nodes < 2 or model.group.transport != "efa" or not over_efa:
            continue
        if not draft.tenants and "tenants" not in draft.broken_areas:
            yield Problem(
                f"models[{position}].namespace",
                f'"{model.namespace}", which enforces restricted',
                "a tenant with podSecurity: privileged: pods of EFA add the capability IPC_LOCK, which neither"
                " restricted nor baseline allows",
                f"add tenants with one of name: {model.namespace} and podSecurity: privileged",
            )
        elif model.namespace in levels and levels[model.namespace][1] != "privileged":
            index, level = levels[model.namespace]
            yield Problem(
                f"tenants[{index}].podSecurity",
                level,
                f"privileged, because {model.name} runs over {model.nodes} nodes of {over_efa[0]}: pods of EFA add"
                " the capability IPC_LOCK, which neither restricted nor baseline allows",
                "write podSecurity: privileged with podSecurityReason, in a namespace of its own",
            )


def downloads_are_open(draft: Draft) -> Iterator[Problem]:
    """Where nothing may be downloaded, weights are there already."""
    storage = draft.storage or StorageSettings()
    if "storage" in draft.broken_areas:
        return
    for index, tenant, models in _tenants_with_models(draft):
        fetching = [
            model.name for model in models if downloads_itself(model, storage) or fetching_store(model, storage)
        ]
        if not tenant.downloads and fetching:
            yield Problem(
                f"tenants[{index}].downloads",
                "false",
                f"true, because {fetching[0]} fetches its weights from outside",
                "leave downloads out, or give the model a store under storage.weights that is filled already",
            )


def groups_are_given(draft: Draft) -> Iterator[Problem]:
    """A binding to a group that no principal has lets nobody in."""
    if draft.target != "eks" or draft.cluster is None:
        return
    known = sorted({group for entry in draft.cluster.access for group in entry.groups})
    for index, tenant in draft.tenants:
        for position, entry in enumerate(tenant.access):
            if entry.group not in known:
                yield Problem(
                    f"tenants[{index}].access[{position}].group",
                    f'"{entry.group}"',
                    f"a group that an entry under cluster.access gives: {', '.join(known) or 'there is none'}",
                    did_you_mean(
                        entry.group, known, f"add an entry to cluster.access with groups: [{entry.group}] and the role"
                    ),
                )


def stores_are_there(draft: Draft) -> Iterator[Problem]:
    """A store of the platform's own needs AWS, and an operator whose role it knows."""
    theirs = draft.target == "existing" and draft.cluster is not None and "external-secrets" in draft.cluster.installed
    for index, tenant in draft.tenants:
        token = tenant.secrets.hugging_face_token
        if token is None or token.store:
            continue
        path = f"tenants[{index}].secrets.huggingFaceToken"
        if draft.target == "local":
            yield Problem(
                path,
                "no store, with target local",
                "the name of a store: AWS Secrets Manager is used by default, and here is no AWS",
                "add store, or remove huggingFaceToken and set the Pulumi secret",
            )
        elif theirs:
            yield Problem(
                path,
                "no store, with external-secrets under cluster.installed",
                "the name of a store: the platform's own stores need an operator of its own, whose role theirs trust",
                "add store, or remove external-secrets from cluster.installed if it is not there",
            )


def _asks(draft: Draft, models: list[ModelSettings]) -> list[Ask]:
    return asks_of(models, draft.pools_of, draft.mig_layouts or (), draft.storage or StorageSettings())


def _pickers(draft: Draft, models: list[ModelSettings]) -> list[Ask]:
    """Endpoint pickers in the models' namespace; none while a route names a model that is not there or not valid."""
    if draft.gateway is None:
        return []
    everything = {form.name: form for _, model in draft.models for form in servers_beside(model)}
    routes = routes_with_canaries(draft.gateway.routes, everything.values())
    if not {name for route in routes for name in models_of(route)} <= set(everything):
        return []
    picked = picked_models(routes, everything)
    return pickers_of([model for model in models if model.name in picked], draft.gateway.endpoint_picker)


def _tenants_with_models(draft: Draft) -> Iterator[tuple[int, TenantSettings, list[ModelSettings]]]:
    """Tenants, each with its index and the valid models of its namespace."""
    ordered = sorted((model.namespace, index) for index, model in draft.models)
    by_index = dict(draft.models)
    models = {name: [by_index[index] for _, index in group] for name, group in groupby(ordered, lambda item: item[0])}
    yield from ((index, tenant, models.get(tenant.name, [])) for index, tenant in draft.tenants)
