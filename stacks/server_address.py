"""How a model's servers are found inside the cluster, whatever serves them."""

from infra.catalog.engines import engine
from infra.settings import ModelSettings
from infra.settings.gateway_routes import has_own_scheduler

# Service of a ModelServer (components/serving/model_server_spec.py) and of a predictor of KServe with Knative.
_SERVICE_PORT = 80
# Leaders of a LeaderWorkerSet answer requests; the others only compute. Source: LeaderWorkerSet v0.9.0, its labels.
_LEADER = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}


def selector_of(model: ModelSettings) -> dict[str, str]:
    """Labels of the pods that answer a model's requests; of a group over several nodes, its leaders only."""
    labels = {"app.kubernetes.io/name": model.name, "app.kubernetes.io/component": "model-server"}
    return {**labels, **_LEADER} if getattr(model, "nodes", 1) > 1 else labels


def port_of(model: ModelSettings) -> int:
    """Port of a model's pods."""
    if model.kserve and model.kserve.runtime == "huggingface":
        from infra.catalog.kserve import HUGGING_FACE_SERVER

        return HUGGING_FACE_SERVER.port
    return model.custom.port if model.custom else engine(model.engine).port


def service_of(model: ModelSettings) -> tuple[str, int]:
    """Name and port of a model's Service: the program's own, or KServe's."""
    if has_own_scheduler(model):
        return f"{model.name}-kserve-workload-svc", port_of(model)
    return (f"{model.name}-predictor" if model.kserve else model.name), _SERVICE_PORT
