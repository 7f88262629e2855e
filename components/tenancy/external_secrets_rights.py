"""Who may do what about secrets from outside, in AWS and in the cluster.

Pod Identity gives credentials to a pod, so only the operator itself has any: a store that acts under a service account
of its tenant (`auth.jwt`) needs an OIDC provider in IAM, and the cluster has none (docs/adr/0013-pod-identity.md). So
the operator takes another role for each store (`role`; external-secrets v1.3.2, docs/provider/aws-access.md), that of
the store's tenant, and can read nothing by itself. Each of these roles trusts the operator's and reads the secrets of
its tenant.

That holds as long as no tenant writes stores: whoever does names any role that the operator may take, and session tags
that would say from which namespace a request comes are not in that version yet. The operator's chart gives these
rights away: `rbac.aggregateToEdit` and `aggregateToView` take them from the ClusterRoles edit and view, but admin has
them whatever the values say (deploy/charts/external-secrets/templates/rbac.yaml). So the chart makes no roles of the
cluster's users or of the operator at all (`rbac.create: false`), and they are here: view, and with it edit and admin,
reads stores and ExternalSecrets, which hold no secret; nobody but the cluster's administrators writes them.
"""

from collections.abc import Sequence

from components.identity.documents import AwsPlace, allow, document
from components.specs import Spec
from infra.conventions import tenant_secrets_roles

NAMESPACE = "external-secrets"
SERVICE_ACCOUNT = "external-secrets"

# Not the names of the chart's own, which Helm removes only when it upgrades a release that still had them.
OPERATOR, ELECTION = "external-secrets-operator", "external-secrets-operator-election"
READERS = "external-secrets-readers"

_GROUP = "external-secrets.io"
_READ = ["get", "list", "watch"]

# Secrets Manager appends a dash and six characters to a secret's name in its ARN (AWS Secrets Manager user guide).
_SUFFIX = "-??????"


def assume_policy(place: AwsPlace) -> str:
    """IAM document of the operator: take the roles of this cluster's tenants, and nothing else."""
    roles = place.arn("iam", f"role/{tenant_secrets_roles(place.cluster)}*", regional=False)
    return document(allow("TakeRolesOfTenants", ["sts:AssumeRole", "sts:TagSession"], roles))


def read_policy(place: AwsPlace, keys: Sequence[str]) -> str:
    """IAM document of one tenant: read these secrets of Secrets Manager and no others. A secret under a key of KMS of
    its own needs kms:Decrypt besides, which its key policy can give."""
    secrets = [place.arn("secretsmanager", f"secret:{key}{_SUFFIX}") for key in sorted(set(keys))]
    return document(
        allow("ReadTenantSecrets", ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], secrets)
    )


def operator_rules(*, other_stores: bool) -> list[Spec]:
    """Rules of the operator's ClusterRole: those of its chart, without what is off.

    It reads and writes Secrets everywhere: it keeps a cache of those that it made, and a list cannot be narrowed by
    label. Without other stores it makes no tokens of service accounts, with which it could act as anybody
    (external-secrets v1.3.2, docs/guides/security-best-practices.md).

    Args:
        other_stores: whether there are stores that the platform does not make: ClusterSecretStores, and such as act
            under a service account or trust a certificate of a ConfigMap.
    """
    stores = ["secretstores", *(["clustersecretstores"] if other_stores else [])]
    kept = [f"{kind}{part}" for kind in ("externalsecrets", *stores) for part in ("", "/status", "/finalizers")]
    rules = [
        _rule(_GROUP, ["externalsecrets", *stores], _READ),
        _rule(_GROUP, kept, ["get", "update", "patch"]),
        # Its controller always runs; states of generators there are none.
        _rule(f"generators.{_GROUP}", ["generatorstates"], [*_READ, "create", "update", "patch", "delete",
                                                            "deletecollection"]),
        _rule("", ["secrets"], [*_READ, "create", "update", "delete", "patch"]),
        _rule("", ["events"], ["create", "patch"]),
    ]  # fmt: skip
    others = [
        _rule("", ["namespaces", "configmaps", "serviceaccounts"], _READ),
        _rule("", ["serviceaccounts/token"], ["create"]),
    ]
    return [*rules, *(others if other_stores else [])]


def election_rules() -> list[Spec]:
    """Rules of the operator in its own namespace: the lease by which two replicas agree who works."""
    return [_rule("coordination.k8s.io", ["leases"], ["get", "create", "update", "patch"])]


def reader_rules() -> list[Spec]:
    """What view, edit and admin may do with stores and ExternalSecrets: see whether they work."""
    return [_rule(_GROUP, ["externalsecrets", "secretstores"], _READ)]


def operator_subjects() -> list[Spec]:
    """`subjects` of its bindings."""
    return [{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": NAMESPACE}]


def _rule(group: str, resources: list[str], verbs: list[str]) -> Spec:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
