"""Namespaces and their tokens: a tenant's with all that belongs to it, any other as a bare namespace."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, Secret

from infra.catalog.kserve import KNATIVE_NAMESPACES
from infra.conventions import (
    GATEWAY_NAMESPACE,
    MIG_RESOURCE_PREFIX,
    MONITORING_NAMESPACE,
    STACK_LABEL,
    tenant_secrets_role,
)
from infra.errors import InputError
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.tenant_demand import downloads_itself
from infra.settings.tenant_grants import grant_of, slices_of_pools
from infra.settings.tenants import ExternalSecretSettings, TenantQuota, TenantSettings, tenant_named
from infra.settings.tokens import TOKEN, problems_of_tokens
from infra.versions import EXTERNAL_SECRETS, EXTERNAL_SECRETS_CHART
from stacks.foundation import aws_settings
from stacks.weights_of_models import TOKEN_KEY, TOKEN_SECRET

if TYPE_CHECKING:
    from components.tenancy.external_secrets import ExternalSecretsArgs
    from components.tenancy.tenancy import ExternalTokenArgs, SecretStoreArgs, TenancyArgs, TenantQuotaArgs
    from stacks.platform_layer import Cluster, PlatformLayer

OPERATOR = "external-secrets"

# A tenant's SecretStore of the account's Secrets Manager, where it names no other.
STORE = "aws-secrets-manager"


@dataclass(frozen=True, slots=True)
class Spaces:
    """Where workloads go.

    Attributes:
        namespaces: what an object in a namespace waits for: the namespace, or the whole tenancy.
        tokens: what a pod that reads the Hugging Face token waits for, by namespace.
    """

    namespaces: Mapping[str, pulumi.Resource]
    tokens: Mapping[str, pulumi.Resource]


def deploy_spaces(
    cluster: "Cluster", stack: str, secrets: Mapping[str, pulumi.Output[str]], platform: "PlatformLayer"
) -> Spaces:
    """Create every namespace that something is served or kept in, and every tenant's.

    Args:
        stack: the stack that holds the layer; namespaces name it.
        platform: what the same stack made of the layer below; an ExternalSecret waits for its operator.

    Raises:
        InputError: when a gated model has no token.
    """
    settings = cluster.settings
    missing = problems_of_tokens(settings, secrets)
    if missing:
        raise InputError(missing)
    options = pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=list(cluster.foundation.needs))
    gated = {model.namespace for model in settings.models if model.gated}
    namespaces: dict[str, pulumi.Resource] = {}
    tokens: dict[str, pulumi.Resource] = {}
    for name in sorted(_namespaces(settings)):
        tenant = tenant_named(name, settings.tenants)
        if tenant:
            needs = list(platform.secrets) if tenant.secrets.hugging_face_token else []
            namespaces[name] = _tenancy(tenant, settings, stack, secrets, _after(options, needs))
        else:
            namespaces[name] = _namespace(name, stack, options)
        if name in gated:
            made = namespaces[name]
            tokens[name] = made if tenant else _token(name, secrets[TOKEN], _after(options, [made]))
    return Spaces(namespaces, tokens)


def deploy_secret_operator(cluster: "Cluster") -> list[pulumi.Resource]:
    """The operator that brings secrets in, where a tenant asks for it and it is not there."""
    wanted = bool(_outside(cluster.settings)) or _keys_from_outside(cluster.settings)
    return [_external_secrets(cluster)] if wanted and cluster.settings.installs(OPERATOR) else []


def tenancy_args(
    tenant: TenantSettings, settings: PlatformSettings, stack: str, secrets: Mapping[str, pulumi.Output[str]]
) -> "TenancyArgs":
    """The component's arguments for one tenant of the settings."""
    models = [model for model in settings.models if model.namespace == tenant.name]
    most = tenant.defaults.max_memory_gib
    args: TenancyArgs = {
        "team": tenant.team,
        "stack": stack,
        "quota": _quota(tenant.quota, settings),
        "defaults": {
            "cpu_millicores": tenant.defaults.cpu_millicores,
            "memory_mib": tenant.defaults.memory_mib,
            "ephemeral_storage_mib": tenant.defaults.ephemeral_storage_mib,
            **({"max_memory_gib": most} if most else {}),
        },
        "pod_security": tenant.pod_security,
        "pod_security_version": f"v{settings.cluster.kubernetes_version}",
        "pod_security_reason": tenant.pod_security_reason,
        "access": [{"group": entry.group, "role": entry.role} for entry in tenant.access],
        "allow_from": [GATEWAY_NAMESPACE, MONITORING_NAMESPACE, *_knative(models), *tenant.allow_from],
        "allow_to": _neighbours(tenant.name, settings),
        "own_networks": [settings.network.cidr, *settings.network.secondary_cidrs] if settings.network else [],
        "downloads": tenant.downloads,
        "downloading_servers": [model.name for model in models if downloads_itself(model, settings.storage)],
        "pod_identity": settings.target != "local",
        "egress": [{"cidr": rule.cidr, "ports": list(rule.ports)} for rule in tenant.egress],
    }
    if settings.gateway:
        args["gateway_namespace"] = GATEWAY_NAMESPACE
    outside = tenant.secrets.hugging_face_token
    if outside:
        args["token"] = {"name": TOKEN_SECRET, "key": TOKEN_KEY}
        args["external_token"] = _external_token(outside)
        if not outside.store:
            args["secret_store"] = _secret_store(tenant.name, settings)
    elif any(model.gated for model in models):
        args["token"] = {"name": TOKEN_SECRET, "key": TOKEN_KEY, "value": secrets[TOKEN]}
    return args


def _tenancy(
    tenant: TenantSettings,
    settings: PlatformSettings,
    stack: str,
    secrets: Mapping[str, pulumi.Output[str]],
    options: pulumi.ResourceOptions,
) -> pulumi.Resource:
    # Imported here, so that an environment without tenants does not pay for it.
    from components.tenancy import Tenancy

    return Tenancy(tenant.name, tenancy_args(tenant, settings, stack, secrets), options)


def _knative(models: list[ModelSettings]) -> list[str]:
    """Where requests come from, and who counts them, in KServe's mode Knative."""
    return list(KNATIVE_NAMESPACES) if any(model.kserve and model.kserve.mode == "Knative" for model in models) else []


def _neighbours(namespace: str, settings: PlatformSettings) -> list[str]:
    """Namespaces of other tenants that let this one in: as a whole, or to one of their models."""
    open_to = {model.namespace for model in settings.models if namespace in model.clients.namespaces}
    open_to |= {tenant.name for tenant in settings.tenants if namespace in tenant.allow_from}
    return sorted(open_to - {namespace})


def _quota(quota: TenantQuota, settings: PlatformSettings) -> "TenantQuotaArgs":
    """A quota; what is not limited is left out, slices that pools have and it does not name are refused."""
    grant = grant_of(quota, slices_of_pools(settings.node_pools, settings.mig_layouts))
    args: TenantQuotaArgs = {
        "gpus": grant.gpus,
        "mig_slices": {name.removeprefix(MIG_RESOURCE_PREFIX): count for name, count in grant.slices.items()},
        "claimed_devices": grant.claimed_devices,
        "load_balancers": grant.load_balancers,
    }
    if grant.cpu is not None:
        args["cpu"] = grant.cpu
    if grant.memory_gib is not None:
        args["memory_gib"] = grant.memory_gib
    if grant.ephemeral_storage_gib is not None:
        args["ephemeral_storage_gib"] = grant.ephemeral_storage_gib
    if grant.pods is not None:
        args["pods"] = grant.pods
    if grant.persistent_volume_claims is not None:
        args["persistent_volume_claims"] = grant.persistent_volume_claims
    if grant.storage_gib is not None:
        args["storage_gib"] = grant.storage_gib
    return args


def _external_token(outside: ExternalSecretSettings) -> "ExternalTokenArgs":
    args: ExternalTokenArgs = {
        "store": outside.store or STORE,
        "store_kind": outside.store_kind if outside.store else "SecretStore",
        "key": outside.key,
        "refresh": outside.refresh,
    }
    if outside.property:
        args["property"] = outside.property
    return args


def _secret_store(namespace: str, settings: PlatformSettings) -> "SecretStoreArgs":
    """The tenant's store. Its role is made by the layer below, maybe in another stack, so it is named."""
    place = aws_settings(settings)
    role = tenant_secrets_role(settings.cluster.name, namespace)
    return {
        "name": STORE,
        "region": place.region,
        "role_arn": f"arn:{place.partition}:iam::{place.account_id}:role/{role}",
    }


def _outside(settings: PlatformSettings) -> dict[str, ExternalSecretSettings]:
    """What comes from a store outside the cluster, by namespace."""
    found = {tenant.name: tenant.secrets.hugging_face_token for tenant in settings.tenants}
    return {name: token for name, token in found.items() if token}


def _keys_from_outside(settings: PlatformSettings) -> bool:
    """Whether the gateway's API keys come from a store, which is somebody else's."""
    who = settings.gateway.authentication if settings.gateway else None
    return bool(who and who.api_keys and who.api_keys.external)


def _external_secrets(cluster: "Cluster") -> pulumi.Resource:
    from components.tenancy import ExternalSecrets

    settings = cluster.settings
    tokens = _outside(settings)
    ours = {name: token for name, token in tokens.items() if not token.store}
    args: ExternalSecretsArgs = {
        "chart": EXTERNAL_SECRETS_CHART,
        "version": EXTERNAL_SECRETS,
        "other_stores": len(ours) < len(tokens) or _keys_from_outside(settings),
        "tags": dict(settings.tags),
    }
    if ours:
        place = aws_settings(settings)
        args["readers"] = {
            "partition": place.partition,
            "region": place.region,
            "account_id": place.account_id,
            "cluster_name": settings.cluster.name,
            "tenants": [{"namespace": name, "keys": [token.key]} for name, token in sorted(ours.items())],
        }
    return ExternalSecrets(OPERATOR, args, cluster.options())


def _namespaces(settings: PlatformSettings) -> set[str]:
    used = {model.namespace for model in settings.models} | {store.namespace for store in settings.storage.checkpoints}
    return used | {tenant.name for tenant in settings.tenants}


def _namespace(name: str, stack: str, options: pulumi.ResourceOptions) -> Namespace:
    """A namespace that nobody owns: model servers in it have their own network policies, nothing else has any."""
    labels = {
        "app.kubernetes.io/part-of": "gpu-platform",
        STACK_LABEL: stack,
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    return Namespace(f"{name}-namespace", metadata={"name": name, "labels": labels}, opts=options)


def _token(namespace: str, value: pulumi.Output[str], options: pulumi.ResourceOptions) -> Secret:
    return Secret(
        f"{namespace}-{TOKEN_SECRET}",
        metadata={"name": TOKEN_SECRET, "namespace": namespace},
        string_data={TOKEN_KEY: value},
        opts=options,
    )


def _after(options: pulumi.ResourceOptions, needs: list[pulumi.Resource]) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=needs))
