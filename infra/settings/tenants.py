"""Tenants: a namespace for each team, with its share of the GPUs, its level of Pod Security and who may reach it."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictInt, model_validator

from infra.settings.values import (
    Cidr,
    Count,
    DnsLabel,
    Duration,
    Flag,
    LabelValue,
    Positive,
    Settings,
    invalid,
    matching,
)

# Kubernetes, Pod Security Standards. Under `baseline` a pod may not add IPC_LOCK, nor share the network of its node.
PodSecurity = Literal["restricted", "baseline", "privileged"]
# ClusterRoles that every cluster has (Kubernetes documentation, user-facing roles).
TenantRole = Literal["admin", "edit", "view"]

# Namespaces that belong to the cluster or to the platform.
RESERVED = ("default", "kube-system", "kube-public", "kube-node-lease")

# Kubernetes keeps them for itself, and EKS refuses them in an access entry ("it cannot start with system:").
_SYSTEM = "system:"

_MIB_PER_GIB = 1024

Port = Annotated[StrictInt, Field(ge=1, le=65535)]


def _check_profile_counts(given: dict[str, int]) -> dict[str, int]:
    for name in given:
        if name.startswith(("nvidia.com/", "requests.", "limits.")):
            short = name.rpartition("/")[2].removeprefix("mig-")
            raise invalid("profiles as MIG names them, such as 3g.40gb", f'write "{short}"')
    return given


def _check_group(text: str) -> str:
    if text.startswith(_SYSTEM) or not text.strip():
        raise invalid(
            f"a group of your own, not beginning with {_SYSTEM}", f'write "{text.removeprefix(_SYSTEM) or "my-team"}"'
        )
    return text


Group = Annotated[str, AfterValidator(_check_group)]
SecretKey = Annotated[
    str, AfterValidator(matching(r"[A-Za-z0-9/_+=.@-]{1,512}", "the name of a secret, such as ml/hf"))
]


class TenantQuota(Settings):
    """What all pods of the namespace may ask for together; becomes a ResourceQuota. What is not given is not limited,
    except devices: those that are not granted are refused."""

    gpus: Count
    """Whole GPUs: `requests.nvidia.com/gpu`. There is no limit to write beside it: Kubernetes counts extended
    resources by their requests only, and a key `limits.nvidia.com/gpu` is accepted and never counts."""
    mig_slices: Annotated[dict[str, Count], AfterValidator(_check_profile_counts)] = {}
    """Slices by MIG profile, such as {3g.40gb: 4}; a quota of GPUs does not count them. Profiles of the pools that are
    not named here are refused."""
    claimed_devices: Count = 0
    """Devices by claim (Dynamic Resource Allocation, class gpu.nvidia.com); neither of the other two counts them."""
    cpu: Positive | None = None
    """CPU requests in cores."""
    memory_gib: Positive | None = None
    """Memory requests in GiB; /dev/shm is part of them."""
    ephemeral_storage_gib: Positive | None = None
    """Requests of disk on the nodes in GiB: caches and copies of weights."""
    pods: Positive | None = None
    """Pods that are not finished."""
    persistent_volume_claims: Count | None = None
    """PersistentVolumeClaims."""
    storage_gib: Positive | None = None
    """Sum of what the claims ask for, in GiB."""
    load_balancers: Count = 0
    """Services of type LoadBalancer. Default: none, so that nobody makes one that the internet reaches."""
    guaranteed: Flag = False
    """Whether the pools must be able to start all its GPUs and slices at once, together with every other guaranteed
    quota. Default: no; a quota is a ceiling, and ceilings may add up to more than there is."""


class ContainerDefaults(Settings):
    """What a container that says nothing gets, and the most it may ask for; becomes a LimitRange.

    A quota refuses pods that do not say what they need, so defaults belong to it. There is no largest CPU: Kubernetes
    would make it the CPU limit of every container without one, and engines have none on purpose.
    """

    cpu_millicores: Positive = 250
    """CPU request in thousandths of a core. Default: our choice, a small helper's."""
    memory_mib: Positive = 512
    """Memory request and limit in MiB. Default: our choice, a small helper's."""
    ephemeral_storage_mib: Positive = 1024
    """Disk request in MiB. Default: our choice."""
    max_memory_gib: Positive | None = None
    """Most memory one container may have, in GiB; default: no limit but the quota's."""

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Self:
        if self.max_memory_gib is not None and self.memory_mib > self.max_memory_gib * _MIB_PER_GIB:
            raise invalid(
                f"memoryMib of at most {self.max_memory_gib * _MIB_PER_GIB}, which is maxMemoryGib: the API server"
                f" refuses a default above the largest, and this is {self.memory_mib}",
                f"write maxMemoryGib: {-(-self.memory_mib // _MIB_PER_GIB)}, or a smaller memoryMib",
            )
        return self


class TenantAccess(Settings):
    """A group and what it may do in the namespace; becomes a RoleBinding."""

    group: Group
    """Kubernetes group: on EKS one that an entry under cluster.access gives to its principal."""
    role: TenantRole
    """view: read all but Secrets. edit: also change workloads, read Secrets, enter pods. admin: also hand out roles."""


class EgressRule(Settings):
    """Addresses that every pod of the namespace may call."""

    cidr: Cidr
    """Network."""
    ports: tuple[Port, ...] = Field(min_length=1)
    """TCP ports."""


class ExternalSecretSettings(Settings):
    """A value in a store outside the cluster that the External Secrets operator keeps a Secret in step with."""

    key: SecretKey
    """Name of the secret in the store."""
    property: str | None = None
    """Key inside it, where its value is a JSON object; default: the whole value."""
    store: DnsLabel | None = None
    """A store that is there already. Default: a SecretStore in the tenant's namespace, of AWS Secrets Manager in the
    account and region of the settings, by a role of the tenant's own that reads these secrets and no others."""
    store_kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"
    """Kind of that store; a SecretStore is in the tenant's namespace."""
    refresh: Duration = "1h"
    """How often it is read again. Pods keep what they started with."""

    @model_validator(mode="after")
    def _kind_of_a_store(self) -> Self:
        if "store_kind" in self.model_fields_set and not self.store:
            raise invalid("storeKind beside store", "name the store, or remove storeKind for the tenant's own")
        return self


class TenantSecrets(Settings):
    """Secrets of the namespace."""

    hugging_face_token: ExternalSecretSettings | None = None
    """Where gated models take their token from. Default: the Pulumi secret gpu-platform:huggingFaceToken."""


class TenantSettings(Settings):
    """One team and its namespace."""

    name: DnsLabel
    """Namespace; models and checkpoints name it."""
    team: LabelValue
    """Who answers for it; a label on the namespace."""
    quota: TenantQuota
    """What it may use."""
    defaults: ContainerDefaults = ContainerDefaults()
    """What containers get that ask for nothing."""
    pod_security: PodSecurity = "restricted"
    """Pod Security level. EFA needs privileged: the right to lock memory (IPC_LOCK) is in neither of the others."""
    pod_security_reason: str = ""
    """Why the level is not restricted; required then, and written on the namespace."""
    access: tuple[TenantAccess, ...] = ()
    """Who may do what in it."""
    allow_from: tuple[DnsLabel, ...] = ()
    """Namespaces whose pods may call it, besides the gateway's and the monitoring's."""
    downloads: Flag = True
    """Whether download Jobs, and engines that load their weights from outside, may reach public addresses on port 443.
    Nothing else in the namespace may."""
    egress: tuple[EgressRule, ...] = ()
    """Other addresses its pods may call."""
    secrets: TenantSecrets = TenantSecrets()
    """Its secrets."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.name in RESERVED or self.name.startswith("kube-"):
            raise invalid("a namespace of your own; this one belongs to Kubernetes", f'write "team-{self.team}"')
        if self.pod_security != "restricted" and not self.pod_security_reason.strip():
            raise invalid(
                f"podSecurityReason beside podSecurity: {self.pod_security}",
                "say which pods need it and why, or leave podSecurity out for restricted",
            )
        self._defaults_fit_quota()
        groups = [(entry.group, entry.role) for entry in self.access]
        twice = next((group for group, role in groups if groups.count((group, role)) > 1), "")
        if twice:
            raise invalid("each group with a role once", f'remove one of the entries of "{twice}"')
        return self

    def _defaults_fit_quota(self) -> None:
        """A container that says nothing must find room for itself, or none ever starts."""
        mib = _MIB_PER_GIB
        for key, default, granted, unit in (
            ("cpu", self.defaults.cpu_millicores, self.quota.cpu, 1000),
            ("memoryGib", self.defaults.memory_mib, self.quota.memory_gib, mib),
            ("ephemeralStorageGib", self.defaults.ephemeral_storage_mib, self.quota.ephemeral_storage_gib, mib),
        ):
            if granted is not None and default > granted * unit:
                name = {"cpu": "cpuMillicores", "memoryGib": "memoryMib"}.get(key, "ephemeralStorageMib")
                raise invalid(
                    f"defaults.{name} of at most {granted * unit}, which is quota.{key}: {default} fits no pod",
                    f"write quota.{key}: {-(-default // unit)}, or a smaller defaults.{name}",
                )


def tenant_named(name: str, tenants: tuple[TenantSettings, ...]) -> TenantSettings | None:
    """The tenant whose namespace that is; None where nobody owns it."""
    return next((tenant for tenant in tenants if tenant.name == name), None)
