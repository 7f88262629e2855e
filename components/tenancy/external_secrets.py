"""The External Secrets operator, its rights, and a role in AWS for each tenant that reads secrets through it."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import iam
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding

from components.identity.documents import AwsPlace, role_trust
from components.identity.pod_identity_role import PodIdentityRole
from components.specs import Spec
from components.tenancy.external_secrets_rights import (
    ELECTION,
    NAMESPACE,
    OPERATOR,
    READERS,
    SERVICE_ACCOUNT,
    assume_policy,
    election_rules,
    operator_rules,
    operator_subjects,
    read_policy,
    reader_rules,
)
from components.tenancy.external_secrets_values import crd_values, operator_values
from infra.conventions import secret_operator_role, tenant_secrets_role


class SecretReaderArgs(TypedDict):
    """A tenant and what it reads."""

    namespace: str
    """Namespace of the tenant; the name of its role derives from it."""
    keys: list[str]
    """Names of the secrets that may be read."""


class SecretReadersArgs(TypedDict):
    """Who reads which secrets of AWS Secrets Manager."""

    partition: str
    """AWS partition."""
    region: str
    """Region of the secrets."""
    account_id: str
    """Account of the secrets."""
    cluster_name: str
    """Cluster of the operator; no longer than 46 characters."""
    tenants: list[SecretReaderArgs]
    """Tenants, each with a role of its own."""


class ExternalSecretsArgs(TypedDict):
    """The operator and who reads through it."""

    chart: str
    """Address of the chart."""
    version: str
    """Version of the chart."""
    readers: NotRequired[SecretReadersArgs]
    """Readers of AWS Secrets Manager. Default: none; stores are somebody else's."""
    other_stores: NotRequired[bool]
    """Whether there are stores that somebody else makes, ClusterSecretStores among them. Default: no."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on roles and policies."""


class ExternalSecrets(pulumi.ComponentResource):
    """Keeps Secrets in step with AWS Secrets Manager; depend on it with every store and every ExternalSecret.

    With `readers` it also takes a role for each tenant, which reads the secrets named there and no others. The stores
    that name these roles belong to the tenants' namespaces.
    """

    def __init__(self, name: str, args: ExternalSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:ExternalSecrets", name, {}, opts)
        self._name, self._args = name, args
        self._inside = pulumi.ResourceOptions(parent=self)
        space = Namespace(f"{name}-namespace", metadata=_namespace(), opts=self._inside)
        needs: list[pulumi.Resource] = [self._release("crds", crd_values(), [space]), *self._rights(space)]
        if "readers" in args:
            needs += self._identities(args["readers"])
        self._release("operator", operator_values(other_stores=self._other_stores), needs)
        self.register_outputs({})

    @property
    def _other_stores(self) -> bool:
        return self._args.get("other_stores", False)

    def _release(self, suffix: str, values: Spec, needs: list[pulumi.Resource]) -> Release:
        return Release(
            f"{self._name}-{suffix}",
            name="external-secrets" if suffix == "operator" else f"external-secrets-{suffix}",
            chart=self._args["chart"],
            version=self._args["version"],
            namespace=NAMESPACE,
            values=values,
            atomic=True,
            timeout=600,
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )

    def _rights(self, space: Namespace) -> list[pulumi.Resource]:
        """What the operator may do in the cluster, and what its users may."""
        rules = operator_rules(other_stores=self._other_stores)
        role = ClusterRole(f"{self._name}-role", metadata=_metadata(OPERATOR), rules=rules, opts=self._inside)
        election = Role(
            f"{self._name}-election-role",
            metadata=_metadata(ELECTION, namespace=NAMESPACE),
            rules=election_rules(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[space]),
        )
        readers = ClusterRole(
            f"{self._name}-readers",
            metadata=_metadata(READERS, {"rbac.authorization.k8s.io/aggregate-to-view": "true"}),
            rules=reader_rules(),
            opts=self._inside,
        )
        return [
            readers,
            ClusterRoleBinding(
                f"{self._name}-binding",
                metadata=_metadata(OPERATOR),
                role_ref=_reference("ClusterRole", OPERATOR),
                subjects=operator_subjects(),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
            ),
            RoleBinding(
                f"{self._name}-election-binding",
                metadata=_metadata(ELECTION, namespace=NAMESPACE),
                role_ref=_reference("Role", ELECTION),
                subjects=operator_subjects(),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[election]),
            ),
        ]

    def _identities(self, readers: SecretReadersArgs) -> list[pulumi.Resource]:
        """The operator's role, which reads nothing, and those it takes for tenants."""
        place = AwsPlace(readers["partition"], readers["region"], readers["account_id"], readers["cluster_name"])
        tags = self._args.get("tags", {})
        operator = PodIdentityRole(
            f"{self._name}-identity",
            {
                "partition": place.partition,
                "region": place.region,
                "account_id": place.account,
                "cluster_name": place.cluster,
                "namespace": NAMESPACE,
                "service_account": SERVICE_ACCOUNT,
                "role_name": secret_operator_role(place.cluster),
                "policies": {"assume": assume_policy(place)},
                "tags": tags,
            },
            self._inside,
        )
        return [operator, *(self._reader(tenant, place, tags) for tenant in readers["tenants"])]

    def _reader(self, tenant: SecretReaderArgs, place: AwsPlace, tags: dict[str, pulumi.Input[str]]) -> pulumi.Resource:
        """The role of one tenant."""
        name = f"{self._name}-of-{tenant['namespace']}"
        role = iam.Role(
            f"{name}-role",
            name=tenant_secrets_role(place.cluster, tenant["namespace"]),
            assume_role_policy=role_trust(place, secret_operator_role(place.cluster)),
            tags=tags,
            opts=self._inside,
        )
        policy = iam.Policy(f"{name}-read", policy=read_policy(place, tenant["keys"]), tags=tags, opts=self._inside)
        return iam.RolePolicyAttachment(
            f"{name}-read-attachment", role=role.name, policy_arn=policy.arn, opts=self._inside
        )


def _namespace() -> Spec:
    return _metadata(NAMESPACE, {"pod-security.kubernetes.io/enforce": "restricted"})


def _metadata(name: str, labels: dict[str, str] | None = None, **more: str) -> Spec:
    return {"name": name, "labels": {"app.kubernetes.io/part-of": "gpu-platform", **(labels or {})}, **more}


def _reference(kind: str, name: str) -> Spec:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
