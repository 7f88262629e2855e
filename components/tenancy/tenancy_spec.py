"""The shape of a tenant's objects but for its network: plain values in, Kubernetes specs out."""

from typing import TYPE_CHECKING

from components.specs import Spec
from infra.conventions import STACK_LABEL, TEAM_LABEL
from infra.planning.quota import Grant, slice_resource

if TYPE_CHECKING:
    from components.tenancy.tenancy import ExternalTokenArgs, SecretStoreArgs, TenancyArgs, TenantQuotaArgs

STORE_API = "external-secrets.io/v1"

REASON_ANNOTATION = "gpu-platform/pod-security-reason"

# One RoleBinding a role, with a stable name, whoever its subjects are.
ROLES = ("admin", "edit", "view")


def object_labels(args: "TenancyArgs") -> dict[str, str]:
    """Labels of every object of the tenant."""
    return {"app.kubernetes.io/part-of": "gpu-platform", TEAM_LABEL: args["team"]}


def namespace_metadata(name: str, args: "TenancyArgs") -> Spec:
    """`Namespace.metadata`.

    Pod Security is enforced at the tenant's level, in the wording of one Kubernetes version, so that an upgrade of the
    cluster does not change what is refused. Whatever the level, what is not `restricted` is warned of and audited.
    """
    version = args.get("pod_security_version", "latest")
    levels = {"enforce": args.get("pod_security", "restricted"), "audit": "restricted", "warn": "restricted"}
    labels = object_labels(args)
    if "stack" in args:
        labels[STACK_LABEL] = args["stack"]
    for mode, level in levels.items():
        labels[f"pod-security.kubernetes.io/{mode}"] = level
        labels[f"pod-security.kubernetes.io/{mode}-version"] = version
    metadata: Spec = {"name": name, "labels": labels}
    if args.get("pod_security_reason"):
        metadata["annotations"] = {REASON_ANNOTATION: args["pod_security_reason"]}
    return metadata


def quota_spec(args: "TenantQuotaArgs") -> Spec:
    """`ResourceQuota.spec`."""
    return {"hard": granted(args).hard}


def granted(args: "TenantQuotaArgs") -> Grant:
    """The quota as planning reckons with it."""
    slices = {slice_resource(profile): count for profile, count in args.get("mig_slices", {}).items()}
    return Grant(
        gpus=args["gpus"],
        slices=slices,
        claimed_devices=args.get("claimed_devices", 0),
        cpu=args.get("cpu"),
        memory_gib=args.get("memory_gib"),
        ephemeral_storage_gib=args.get("ephemeral_storage_gib"),
        pods=args.get("pods"),
        persistent_volume_claims=args.get("persistent_volume_claims"),
        storage_gib=args.get("storage_gib"),
        load_balancers=args.get("load_balancers", 0),
    )


def limit_range_spec(args: "TenancyArgs") -> Spec:
    """`LimitRange.spec`.

    No CPU limit: without a default of its own, Kubernetes makes a largest CPU the limit of every container that names
    none, and an engine's scheduler would be throttled.
    """
    given = args.get("defaults", {})
    memory = f"{given.get('memory_mib', 512)}Mi"
    limits: Spec = {
        "type": "Container",
        "defaultRequest": {
            "cpu": f"{given.get('cpu_millicores', 250)}m",
            "memory": memory,
            "ephemeral-storage": f"{given.get('ephemeral_storage_mib', 1024)}Mi",
        },
        "default": {"memory": memory},
    }
    if "max_memory_gib" in given:
        limits["max"] = {"memory": f"{given['max_memory_gib']}Gi"}
    return {"limits": [limits]}


def role_bindings(args: "TenancyArgs") -> dict[str, list[str]]:
    """Groups by role, only roles that somebody has."""
    found = {role: [entry["group"] for entry in args.get("access", []) if entry["role"] == role] for role in ROLES}
    return {role: groups for role, groups in found.items() if groups}


def subjects(groups: list[str]) -> list[Spec]:
    """`RoleBinding.subjects`."""
    return [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": group} for group in groups]


def role_reference(role: str) -> Spec:
    """`RoleBinding.roleRef`: one of the ClusterRoles that every cluster has."""
    return {"kind": "ClusterRole", "apiGroup": "rbac.authorization.k8s.io", "name": role}


def store_spec(args: "SecretStoreArgs") -> Spec:
    """`SecretStore.spec`: Secrets Manager of a region, by the role of the tenant, which the operator takes."""
    provider = {"service": "SecretsManager", "region": args["region"], "role": args["role_arn"]}
    return {"provider": {"aws": provider}}


def external_secret_spec(secret: str, key: str, args: "ExternalTokenArgs") -> Spec:
    """`ExternalSecret.spec`.

    Args:
        secret: Secret that it keeps.
        key: key in it.
    """
    remote = {"key": args["key"], **({"property": args["property"]} if "property" in args else {})}
    return {
        "refreshInterval": args.get("refresh", "1h"),
        "secretStoreRef": {"kind": args["store_kind"], "name": args["store"]},
        # A secret that was lost in the store does not take the servers' copy with it.
        "target": {"name": secret, "creationPolicy": "Owner", "deletionPolicy": "Retain"},
        "data": [{"secretKey": key, "remoteRef": remote}],
    }
