"""Values of the External Secrets operator's chart (read at v1.3.2, deploy/charts/external-secrets).

The chart brings its CRDs as templates, not in a folder of their own, and there is no chart of the CRDs alone. So it is
released twice: once with nothing but the CRDs, once without them. Taking the operator away then leaves what tenants
have, and the CRDs go last.
"""

from components.specs import Spec
from components.tenancy.external_secrets_rights import SERVICE_ACCOUNT

# Our estimate for some hundred secrets; the chart sets none.
_RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}

# The chart's own roles: none, see external_secrets_rights.py. The last two are for people who take `create` back.
_NO_ROLES = {"create": False, "aggregateToEdit": False, "aggregateToView": False}


def crd_values() -> Spec:
    """Values of the release that brings the CRDs and nothing else."""
    off: Spec = {"create": False}
    return {
        "installCRDs": True,
        "createOperator": False,
        "serviceAccount": off,
        "rbac": _NO_ROLES,
        "webhook": off,
        "certController": {**off, "serviceAccount": off, "rbac": off},
    }


def operator_values(*, other_stores: bool) -> Spec:
    """Values of the release that brings the operator.

    What tenants do not use is off, and with it the rights it would need: pushing secrets out of the cluster, making
    ExternalSecrets in every namespace, and stores of the whole cluster unless somebody has one.
    """
    return {
        "installCRDs": False,
        "replicaCount": 2,
        "leaderElect": True,
        "processPushSecret": False,
        "processClusterPushSecret": False,
        "processClusterExternalSecret": False,
        "processClusterStore": other_stores,
        "rbac": _NO_ROLES,
        "serviceAccount": {"create": True, "name": SERVICE_ACCOUNT},
        "global": {"tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}]},
        "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
        "resources": _RESOURCES,
        "webhook": {"resources": _RESOURCES},
        "certController": {"resources": _RESOURCES},
    }
