"""One team's namespace, with everything that keeps it apart from the others."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import LimitRange, Namespace, ResourceQuota, Secret
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import RoleBinding

from components.specs import Spec
from components.tenancy.network_spec import network_policies
from components.tenancy.tenancy_spec import (
    STORE_API,
    external_secret_spec,
    limit_range_spec,
    namespace_metadata,
    object_labels,
    quota_spec,
    role_bindings,
    role_reference,
    store_spec,
    subjects,
)


class TenantQuotaArgs(TypedDict):
    """What all pods of the namespace may ask for together; what is not given is not limited."""

    gpus: int
    """Whole GPUs."""
    mig_slices: NotRequired[dict[str, int]]
    """MIG slices by profile, such as 3g.40gb; 0 refuses a profile, one that is not named is not limited."""
    claimed_devices: NotRequired[int]
    """Devices by claim. Default: 0."""
    cpu: NotRequired[int]
    """CPU requests in cores."""
    memory_gib: NotRequired[int]
    """Memory requests in GiB."""
    ephemeral_storage_gib: NotRequired[int]
    """Requests of disk on the nodes in GiB."""
    pods: NotRequired[int]
    """Pods that are not finished."""
    persistent_volume_claims: NotRequired[int]
    """PersistentVolumeClaims."""
    storage_gib: NotRequired[int]
    """Sum of what the claims ask for, in GiB."""
    load_balancers: NotRequired[int]
    """Services of type LoadBalancer. Default: 0."""


class TenantDefaultsArgs(TypedDict):
    """What a container that says nothing gets, and the most it may have."""

    cpu_millicores: NotRequired[int]
    """CPU request in thousandths of a core. Default: 250."""
    memory_mib: NotRequired[int]
    """Memory request and limit in MiB. Default: 512."""
    ephemeral_storage_mib: NotRequired[int]
    """Disk request in MiB. Default: 1024."""
    max_memory_gib: NotRequired[int]
    """Most memory of one container in GiB. Default: no limit but the quota's."""


class TenantAccessArgs(TypedDict):
    """A group and its role in the namespace."""

    group: str
    """Kubernetes group."""
    role: str
    """admin, edit or view: ClusterRoles that every cluster has."""


class TenantEgressArgs(TypedDict):
    """Addresses that every pod may call."""

    cidr: str
    """Network."""
    ports: list[int]
    """TCP ports."""


class TenantSecretArgs(TypedDict):
    """The Secret with the Hugging Face token. At most one of value and external; none makes no Secret."""

    name: str
    """Name of the Secret."""
    key: str
    """Key in it."""
    value: NotRequired[pulumi.Input[str]]
    """The token."""


class SecretStoreArgs(TypedDict):
    """A store of AWS Secrets Manager for this namespace alone."""

    name: str
    """Name of the SecretStore."""
    region: str
    """Region of the secrets."""
    role_arn: str
    """ARN of the role that reads the tenant's secrets and trusts the operator's."""


class ExternalTokenArgs(TypedDict):
    """Where the External Secrets operator reads a token."""

    store: str
    """Name of the store."""
    store_kind: str
    """SecretStore, one of the namespace, or ClusterSecretStore."""
    key: str
    """Name of the secret in the store."""
    property: NotRequired[str]
    """Key inside it. Default: the whole value."""
    refresh: NotRequired[str]
    """How often it is read. Default: 1h."""


class TenancyArgs(TypedDict):
    """One team: what it may use, who may reach it, and what it may reach."""

    team: str
    """Who answers for it."""
    stack: NotRequired[str]
    """Stack that makes it, named on the namespace."""
    quota: TenantQuotaArgs
    """What it may use."""
    defaults: NotRequired[TenantDefaultsArgs]
    """What containers get that ask for nothing."""
    pod_security: NotRequired[str]
    """Pod Security level: restricted, baseline or privileged. Default: restricted."""
    pod_security_version: NotRequired[str]
    """Kubernetes version whose wording of the levels holds, such as v1.36. Default: latest."""
    pod_security_reason: NotRequired[str]
    """Why the level is not restricted; an annotation."""
    access: NotRequired[list[TenantAccessArgs]]
    """Who may do what in it."""
    allow_from: NotRequired[list[str]]
    """Namespaces whose pods may call it, the gateway's and the monitoring's among them. Default: none."""
    allow_to: NotRequired[list[str]]
    """Namespaces whose pods it may call; these must let it in. Default: none."""
    gateway_namespace: NotRequired[str]
    """Namespace of the gateway that its pods may ask. Default: none."""
    own_networks: NotRequired[list[str]]
    """Networks of the cluster, which are not the internet's whatever their addresses. Default: the private ones."""
    downloads: NotRequired[bool]
    """Whether download Jobs may reach public addresses on 443. Default: no."""
    downloading_servers: NotRequired[list[str]]
    """Model servers that may, because they load their weights themselves. Default: none."""
    pod_identity: NotRequired[bool]
    """Whether pods may ask the Pod Identity agent of their node for AWS credentials. Default: no."""
    egress: NotRequired[list[TenantEgressArgs]]
    """Other addresses its pods may call. Default: none."""
    token: NotRequired[TenantSecretArgs]
    """The Hugging Face token. Default: none."""
    secret_store: NotRequired[SecretStoreArgs]
    """Its store of secrets. Default: none."""
    external_token: NotRequired[ExternalTokenArgs]
    """Where the operator reads the token, in place of `token.value`; `token` then names the Secret it keeps."""


class Tenancy(pulumi.ComponentResource):
    """A namespace with its quota, defaults, Pod Security level, network policies, role bindings and token.

    Whoever depends on it is created after all of that and deleted before any of it.
    """

    namespace: pulumi.Output[str]
    """Name of the namespace."""

    def __init__(self, name: str, args: TenancyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:Tenancy", name, {}, opts)
        self._name, self._args = name, args
        space = Namespace(
            f"{name}-namespace",
            metadata=namespace_metadata(name, args),
            opts=pulumi.ResourceOptions(parent=self, aliases=_as_before(f"{name}-namespace")),
        )
        self._inside = pulumi.ResourceOptions(parent=self, depends_on=[space])
        ResourceQuota(
            f"{name}-quota", metadata=self._metadata("quota"), spec=quota_spec(args["quota"]), opts=self._inside
        )
        LimitRange(
            f"{name}-defaults", metadata=self._metadata("defaults"), spec=limit_range_spec(args), opts=self._inside
        )
        for policy, spec in network_policies(args).items():
            NetworkPolicy(f"{name}-{policy}", metadata=self._metadata(policy), spec=spec, opts=self._inside)
        for role, groups in role_bindings(args).items():
            RoleBinding(
                f"{name}-{role}",
                metadata=self._metadata(f"tenant-{role}"),
                role_ref=role_reference(role),
                subjects=subjects(groups),
                opts=self._inside,
            )
        self._token(self._store())
        self.namespace = space.metadata["name"]
        self.register_outputs({"namespace": self.namespace})

    def _store(self) -> list[pulumi.Resource]:
        """Where the operator reads its secrets."""
        if "secret_store" not in self._args:
            return []
        store = self._args["secret_store"]
        made = CustomResource(
            f"{self._name}-store",
            api_version=STORE_API,
            kind="SecretStore",
            metadata=self._metadata(store["name"]),
            spec=store_spec(store),
            opts=self._inside,
        )
        return [made]

    def _token(self, stores: list[pulumi.Resource]) -> None:
        """The Secret with the Hugging Face token, or what the operator makes it from."""
        if "token" not in self._args:
            return
        secret = self._args["token"]
        if "external_token" in self._args:
            CustomResource(
                f"{self._name}-{secret['name']}",
                api_version=STORE_API,
                kind="ExternalSecret",
                metadata=self._metadata(secret["name"]),
                spec=external_secret_spec(secret["name"], secret["key"], self._args["external_token"]),
                opts=pulumi.ResourceOptions.merge(self._inside, pulumi.ResourceOptions(depends_on=stores)),
            )
        elif "value" in secret:
            Secret(
                f"{self._name}-{secret['name']}",
                metadata=self._metadata(secret["name"]),
                string_data={secret["key"]: secret["value"]},
                opts=pulumi.ResourceOptions.merge(
                    self._inside, pulumi.ResourceOptions(aliases=_as_before(f"{self._name}-{secret['name']}"))
                ),
            )

    def _metadata(self, name: str) -> Spec:
        return {"name": name, "namespace": self._name, "labels": object_labels(self._args)}


def _as_before(name: str) -> list[pulumi.Alias]:
    """The resource of the same name that stood alone before its namespace had a tenant: it is taken over, not made
    anew, or everything in the namespace would go with it."""
    return [pulumi.Alias(name=name, parent=pulumi.ROOT_STACK_RESOURCE)]
