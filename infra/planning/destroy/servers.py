"""The pods behind an object, whichever controller makes them."""

from typing import Any

from infra.plan import PlannedResource

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
    return dict(_template(server).get("metadata", {}).get("labels", {}))


def name_of(server: PlannedResource) -> str:
    """The model or picker that it is of: its name, or what its labels say where its controller needs another one."""
    given: Any = server.inputs["metadata"]
    return str((given.get("labels") or {}).get("app.kubernetes.io/name") or given.get("name"))


def _template(server: PlannedResource) -> dict[str, Any]:
    """The pod template; of a LeaderWorkerSet that of its leaders, which Services lead to. Its workers use the same.

    KServe writes the labels of its objects on their pods (kserve 0.20, predictor reconcilers).
    """
    spec: Any = server.inputs["spec"]
    given: Any = server.inputs["metadata"]
    if "predictor" in spec:
        return {"metadata": {"labels": given.get("labels") or {}}, "spec": spec["predictor"]}
    if server.inputs.get("kind") == "LLMInferenceService":
        return {"metadata": {"labels": spec.get("labels") or {}}, "spec": spec["template"]}
    if "leaderWorkerTemplate" in spec:
        group = spec["leaderWorkerTemplate"]
        return dict(group.get("leaderTemplate") or group["workerTemplate"])
    return dict(spec["template"])
