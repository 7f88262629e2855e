"""What Knative Serving is told: the KnativeServing object of its operator (operator.knative.dev/v1beta1).

Fields were held against the operator's CRD and Knative's own configuration in their Go modules (knative.dev/operator
and knative.dev/serving v0.48.1, which are Knative 1.21.1).
"""

from collections.abc import Iterable

from components.serving.kserve_models.values import ON_SYSTEM_NODES
from components.specs import Spec

OPERATOR_NAMESPACE = "knative-operator"
# The operator watches any namespace; KServe and Knative's own manifests expect this one.
NAMESPACE = "knative-serving"

_FLAG = "kubernetes.podspec-"
# What a model server's pod has and Knative refuses unless it is switched on (pkg/apis/config/features.go): pools and
# zones, taints, the unprivileged user, weights on claims and in images, containers that wait for them, priority.
FEATURES = (
    f"{_FLAG}affinity",
    f"{_FLAG}topologyspreadconstraints",
    f"{_FLAG}tolerations",
    f"{_FLAG}securitycontext",
    f"{_FLAG}persistent-volume-claim",
    f"{_FLAG}volumes-image",
    f"{_FLAG}init-containers",
    f"{_FLAG}priorityclassname",
    # On by default; written because a server without its cache and its /dev/shm does not start.
    f"{_FLAG}volumes-emptydir",
)

# Everything that the operator starts for Serving 1.21.1 with Kourier (cmd/operator/kodata). It has no toleration for
# all of them: each is named, a Job by its `generateName`.
WORKLOADS = (
    "activator",
    "autoscaler",
    "autoscaler-hpa",
    "controller",
    "webhook",
    "net-kourier-controller",
    "3scale-kourier-gateway",
    "storage-version-migration-serving-",
    "cleanup-serving-",
)


def knative_operator_values() -> Spec:
    """Values of the operator's chart (config/charts/knative-operator of knative.dev/operator v0.48.1)."""
    placed: Spec = {"tolerations": ON_SYSTEM_NODES}
    return {"knative_operator": {"knative_operator": placed, "operator_webhook": placed}}


def knative_serving_spec(version: str, images: Iterable[str]) -> Spec:
    """`KnativeServing.spec`.

    Args:
        version: of Knative Serving; the operator carries its manifests and fetches nothing.
        images: images of revisions.
    """
    return {
        "version": version,
        # Activator and webhooks stand in every request's way.
        "high-availability": {"replicas": 2},
        "workloads": [{"name": workload, "tolerations": ON_SYSTEM_NODES} for workload in WORKLOADS],
        # ClusterIP: what is reachable from outside is the gateway's business.
        "ingress": {"kourier": {"enabled": True, "service-type": "ClusterIP"}},
        "config": {
            "features": dict.fromkeys(FEATURES, "enabled"),
            "network": {"ingress-class": "kourier.ingress.networking.knative.dev"},
            # With the cluster's own domain a route is reachable inside the cluster only.
            "domain": {"svc.cluster.local": ""},
            # Images are pinned in the settings. Knative would ask their registries again, and has no rights in ECR.
            "deployment": {"registries-skipping-tag-resolving": ",".join(_registries(images))},
        },
    }


def _registries(images: Iterable[str]) -> list[str]:
    """Registries of the images; Docker Hub's has two names, and Knative compares the second."""
    hosts = {image.partition("/")[0] if "." in image.partition("/")[0] else "docker.io" for image in images}
    aliases = {"index.docker.io"} if "docker.io" in hosts else set()
    return sorted(hosts | aliases)
