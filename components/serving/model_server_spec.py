"""The shape of a model server's objects: plain values in, Kubernetes specs out."""

import math
from typing import TYPE_CHECKING

from components.serving.engine_arguments import engine_of
from components.serving.network_policy_spec import network_policy_spec
from components.serving.place_args import RolloutArgs
from components.serving.pod_parts import drain_of, object_labels, one_at_a_time, pod_spec, selector_labels
from components.serving.serving_args import ServingPodArgs
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
        "strategy": strategy(_rollout(args)),
        "progressDeadlineSeconds": step_seconds(args),
        "template": {
            "metadata": {"labels": object_labels(name, args["engine"])},
            "spec": pod_spec(name, args["engine"], args["pod"]),
        },
    }


def strategy(rollout: RolloutArgs) -> Spec:
    """`Deployment.spec.strategy`."""
    at_once = rollout.get("at_once", 1)
    if rollout["strategy"] == "recreate":
        return {"type": "Recreate"}
    if rollout["strategy"] == "replace":
        return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": at_once, "maxSurge": 0}}
    # A new server is ready before an old one goes: capacity never falls during a rollout.
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": at_once}}


def step_seconds(args: "ModelServerArgs") -> int:
    """How long a rollout may make no progress, in seconds."""
    return _step_seconds(args["pod"])


def rollout_seconds(args: "ModelServerArgs") -> int:
    """How long a whole rollout may take, in seconds."""
    return exchange_seconds(args["replicas"], args["pod"], _rollout(args))


def exchange_seconds(replicas: int, pod: ServingPodArgs, rollout: RolloutArgs) -> int:
    """How long it may take, in seconds, to exchange all servers: one after the other, or some at once."""
    together = replicas if rollout["strategy"] == "recreate" else rollout.get("at_once", 1)
    return _step_seconds(pod) * math.ceil(replicas / together)


def _step_seconds(pod: ServingPodArgs) -> int:
    """The end of a server that has the GPUs, a node, a server."""
    return StartupBudget(pod["startup_seconds"]).exchange_seconds(drain_of(pod).grace_period_seconds)


def _rollout(args: "ModelServerArgs") -> RolloutArgs:
    surge: RolloutArgs = {"strategy": "surge"}
    return args.get("rollout", surge)


def policy_spec(name: str, args: "ModelServerArgs") -> Spec:
    """`NetworkPolicy.spec`: who may reach the servers."""
    facts = engine_of(args["engine"])
    metrics = facts.metrics_port if facts.metrics_path else None
    return network_policy_spec(name, selector_labels(name), args.get("clients", {}), facts.port, metrics)


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
    return one_at_a_time(selector_labels(name))
