"""Values of the External Secrets operator's chart (read at v1.3.2, deploy/charts/external-secrets), and its rights.

The chart brings its CRDs as templates, not in a folder of their own, and there is no chart of the CRDs alone. So it is
released twice: once with nothing but the CRDs, once without them. Taking the operator away then leaves what tenants
have, and the CRDs go last.
"""

from collections.abc import Sequence

from components.identity.documents import AwsPlace, allow, document
from components.specs import Spec

NAMESPACE = "external-secrets"
SERVICE_ACCOUNT = "external-secrets"
STORE_API = "external-secrets.io/v1"

# Our estimate for some hundred secrets; the chart sets none.
_RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}

# Secrets Manager appends a dash and six characters to a secret's name in its ARN (AWS Secrets Manager user guide).
_SUFFIX = "-??????"


def crd_values() -> Spec:
    """Values of the release that brings the CRDs and nothing else."""
    off: Spec = {"create": False}
    return {
        "installCRDs": True,
        "createOperator": False,
        "serviceAccount": off,
        "rbac": off,
        "webhook": off,
        "certController": {**off, "serviceAccount": off, "rbac": off},
    }


def operator_values() -> Spec:
    """Values of the release that brings the operator.

    What tenants do not use is off, and with it the rights it would need: pushing secrets out of the cluster, and making
    ExternalSecrets in every namespace.
    """
    return {
        "installCRDs": False,
        "replicaCount": 2,
        "leaderElect": True,
        "processPushSecret": False,
        "processClusterPushSecret": False,
        "processClusterExternalSecret": False,
        "serviceAccount": {"create": True, "name": SERVICE_ACCOUNT},
        "global": {"tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}]},
        "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
        "resources": _RESOURCES,
        "webhook": {"resources": _RESOURCES},
        "certController": {"resources": _RESOURCES},
    }


def read_policy(place: AwsPlace, keys: Sequence[str]) -> str:
    """IAM document: read these secrets of Secrets Manager and no others. A secret under a key of KMS of its own needs
    kms:Decrypt besides, which its key policy can give."""
    secrets = [place.arn("secretsmanager", f"secret:{key}{_SUFFIX}") for key in sorted(set(keys))]
    return document(
        allow("ReadTenantSecrets", ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], secrets)
    )


def store_spec(region: str, namespaces: Sequence[str]) -> Spec:
    """`ClusterSecretStore.spec`: Secrets Manager of a region, with the operator's own identity, for some namespaces."""
    return {
        "provider": {"aws": {"service": "SecretsManager", "region": region}},
        "conditions": [{"namespaces": sorted(namespaces)}],
    }
