"""The pods behind an object, whichever controller makes them."""

from typing import Any

from infra.catalog.kserve import LLM_PODS
from infra.plan import PlannedResource
from infra.planning.destroy.requirement import metadata

# Kinds that make pods, directly or through an operator.
SERVERS = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "LeaderWorkerSet",
    "InferenceService",
    "LLMInferenceService",
)


def pod_of(server: PlannedResource) -> dict[str, Any]:
    """The specification of its pods."""
    pod: dict[str, Any] = _template(server)["spec"]
    return pod


def pod_labels(server: PlannedResource) -> dict[str, Any]:
    """Labels that its pods get from it."""
    return dict((_template(server).get("metadata") or {}).get("labels") or {})


def name_of(server: PlannedResource) -> str:
    """The model or picker that it is of: its name, or what its labels say where its controller needs another one."""
    given: Any = server.inputs["metadata"]
    return str((given.get("labels") or {}).get("app.kubernetes.io/name") or given.get("name"))


def _template(server: PlannedResource) -> dict[str, Any]:
    """The pod template; of a LeaderWorkerSet that of its leaders, which Services lead to. Its workers use the same."""
    spec: Any = server.inputs["spec"]
    match server.inputs["kind"]:
        case "InferenceService":
            return {"metadata": {"labels": spec["predictor"].get("labels")}, "spec": spec["predictor"]}
        case "LLMInferenceService":
            component, servers = LLM_PODS.component
            own = {"app.kubernetes.io/name": metadata(server, "name"), "app.kubernetes.io/part-of": LLM_PODS.part_of}
            return {"metadata": {"labels": {**own, component: servers}}, "spec": spec["template"]}
        case "LeaderWorkerSet":
            group = spec["leaderWorkerTemplate"]
            return dict(group.get("leaderTemplate") or group["workerTemplate"])
    return dict(spec["template"])
