"""Values of Karpenter's chart (v1.14.1, charts/karpenter/values.yaml)."""

from collections.abc import Mapping
from typing import Any

from infra.conventions import KARPENTER_PREFERENCE_POLICY

# The chart's own advice for a production cluster: requests equal limits, so that it is never evicted for memory.
_RESOURCES = {"cpu": "1", "memory": "1Gi"}


def karpenter_values(
    cluster_name: str, region: str, feature_gates: Mapping[str, bool], zonal_shift: bool = False
) -> dict[str, Any]:
    """The chart's values.

    Two replicas in two zones on nodes that Karpenter does not manage are the chart's default, hence the system node
    group; its taint is tolerated by default too.

    Args:
        cluster_name: also the name of the interruption queue.
        region: given, because Karpenter would ask the metadata service for it, which pods cannot reach (one hop).
        feature_gates: by name, such as `nodeOverlay`.
        zonal_shift: whether no node is started in a zone that AWS or an operator has shifted away from.
    """
    return {
        "replicas": 2,
        "settings": {
            "clusterName": cluster_name,
            "interruptionQueue": cluster_name,
            "enableZonalShift": zonal_shift,
            "preferencePolicy": KARPENTER_PREFERENCE_POLICY,
            "featureGates": dict(feature_gates),
        },
        "controller": {
            "env": [{"name": "AWS_REGION", "value": region}],
            "resources": {"requests": dict(_RESOURCES), "limits": dict(_RESOURCES)},
        },
    }
