"""The shape of a model server's objects: plain values in, Kubernetes specs out."""

from typing import TYPE_CHECKING

from components.serving.pod_parts import object_labels, pod_spec, selector_labels
from components.specs import Spec
from infra.planning.startup import StartupBudget

if TYPE_CHECKING:
    from components.serving.model_server import ModelServerArgs

SERVICE_PORT = 80


def deployment_spec(name: str, args: "ModelServerArgs") -> Spec:
    """`Deployment.spec`."""
    return {
        "replicas": args["replicas"],
        "selector": {"matchLabels": selector_labels(name)},
        # A new server is ready before an old one goes: capacity never falls during a rollout.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "progressDeadlineSeconds": StartupBudget(args["pod"]["startup_seconds"]).rollout_seconds,
        "template": {
            "metadata": {"labels": object_labels(name)},
            "spec": pod_spec(name, args["engine"], args["pod"]),
        },
    }


def service_spec(name: str) -> Spec:
    """`Service.spec`: reachable inside the cluster only."""
    return {
        "type": "ClusterIP",
        "selector": selector_labels(name),
        "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": "http", "appProtocol": "http"}],
    }


def disruption_budget_spec(name: str) -> Spec:
    """`PodDisruptionBudget.spec`: one server at a time.

    With one replica it still lets a drain go on: a budget that allows none would hold the node for ever.
    """
    return {
        "maxUnavailable": 1,
        "selector": {"matchLabels": selector_labels(name)},
        # A server that never became ready does not hold up a drain.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
