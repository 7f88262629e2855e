"""Values of LeaderWorkerSet's chart (lws v0.9.0, charts/lws/values.yaml and templates)."""

from components.specs import Spec

# Our estimate for some dozens of groups; the chart asks for a whole core and sets no limit. Memory has one, so that a
# leak ends in a restart and not in an eviction of its neighbours on the system nodes.
_RESOURCES = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}


def leader_worker_set_values(image_tag: str) -> Spec:
    """The chart's values.

    Args:
        image_tag: tag of the manager's image. The chart's own in its repository is `main`, always pulled anew.
    """
    return {
        # One leads, the other serves webhooks too: without them no pod of a group can be made.
        "replicaCount": 2,
        "image": {"manager": {"tag": image_tag, "pullPolicy": "IfNotPresent"}},
        # The controller makes and renews the certificate of its webhooks by itself; cert-manager is not needed.
        "enableCertManager": False,
        "enablePrometheus": False,
        "enableDisaggregatedSet": False,
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 100,
                        "podAffinityTerm": {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"control-plane": "controller-manager"}},
                        },
                    }
                ]
            }
        },
        # The chart's own has no profile, and a namespace that enforces restricted would refuse the pod.
        "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "resources": _RESOURCES,
    }
