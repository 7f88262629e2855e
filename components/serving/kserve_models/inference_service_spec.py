"""The shape of an InferenceService (serving.kserve.io/v1beta1): plain values in, specs out.

The predictor is a container of our own, written out in full: KServe's built-in runtimes take `:latest` images, 2 GiB of
memory and no preStop. Everything said of KServe and Knative here was read in their pinned Go modules (KServe 0.20.0,
Knative Serving 1.21.1).
"""

from typing import Any

from components.serving.engine_arguments import token_variables
from components.serving.kserve_models.args import KServeModelArgs
from components.serving.model_server_spec import strategy
from components.serving.place_args import RolloutArgs
from components.serving.pod_parts import engine_container, mounts, object_labels, pod_spec
from components.serving.weights_spec import weight_variables
from components.specs import Spec
from infra.catalog.engines import VLLM
from infra.catalog.kserve import HUGGING_FACE_SERVER as SERVER
from infra.planning.kserve import revision_timeout_seconds
from infra.planning.startup import StartupBudget

# The name by which KServe knows the container that serves (pkg/constants).
CONTAINER = "kserve-container"
MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
AUTOSCALER_ANNOTATION = "serving.kserve.io/autoscalerClass"
PROGRESS_ANNOTATION = "serving.knative.dev/progress-deadline"
INITIAL_SCALE_ANNOTATION = "autoscaling.knative.dev/initial-scale"

# Knative chooses the protocol by the port's name and takes no other (pkg/apis/serving/k8s_validation.go).
_KNATIVE_PORT = "http1"


def inference_service_annotations(args: KServeModelArgs) -> dict[str, str]:
    """Annotations of the InferenceService: the mode always, and no autoscaler by the CPU's load in mode Standard.

    In mode Knative a rollout may have left its share of the traffic behind, which the next update takes over by force.
    While one is under way, which begins at 0, the share is the rollout's.
    """
    mode = {MODE_ANNOTATION: args["mode"]}
    if args["mode"] == "Standard":
        return {**mode, AUTOSCALER_ANNOTATION: "none"}
    return {**mode, "pulumi.com/patchForce": "true"} if _share(args) else mode


def inference_service_spec(name: str, args: KServeModelArgs) -> Spec:
    """`InferenceService.spec`."""
    pod = _predictor_pod(name, args)
    if args["mode"] == "Standard":
        return {"predictor": {**pod, **_standard(name, args)}}
    return {"predictor": {**_accepted_by_knative(pod), **_knative(name, args)}}


def _standard(name: str, args: KServeModelArgs) -> Spec:
    surge: RolloutArgs = {"strategy": "surge"}
    return {
        "labels": object_labels(name, args["engine"]),
        "minReplicas": args["replicas"],
        "maxReplicas": args["replicas"],
        # KServe's own strategy lets a quarter of the servers go before new ones are ready.
        "deploymentStrategy": strategy(args.get("rollout", surge)),
    }


def _share(args: KServeModelArgs) -> int:
    """Of the newest revision, in %. Always written: a share that a rollout left would hold for every version after it.
    100 is what no share means too (pkg/controller/v1beta1/inferenceservice/reconcilers/knative/ksvc_reconciler.go)."""
    return args.get("canary_traffic_percent", 100)


def _knative(name: str, args: KServeModelArgs) -> Spec:
    return {
        "labels": object_labels(name, args["engine"]),
        "annotations": _revision_annotations(args),
        "minReplicas": _fewest(args),
        "maxReplicas": args.get("max_replicas", args["replicas"]),
        # Bounds a request, and is the pod's grace period as well.
        "timeout": revision_timeout_seconds(args["pod"]["shutdown_timeout_seconds"]),
        # 0: no limit.
        "containerConcurrency": args.get("container_concurrency", 0),
        "canaryTrafficPercent": _share(args),
    }


def _revision_annotations(args: KServeModelArgs) -> dict[str, str]:
    """Annotations that KServe passes on to each revision."""
    # Knative's own patience with a new revision is ten minutes; a node and a large model take longer.
    patience = {PROGRESS_ANNOTATION: f"{StartupBudget(args['pod']['startup_seconds']).rollout_seconds}s"}
    # Knative begins with one server, or with the fewest where that is more.
    first = args["replicas"] if args["replicas"] > max(1, _fewest(args)) else None
    return {**patience, INITIAL_SCALE_ANNOTATION: str(first)} if first else patience


def _fewest(args: KServeModelArgs) -> int:
    return args.get("min_replicas", args["replicas"])


def _predictor_pod(name: str, args: KServeModelArgs) -> Spec:
    pod = pod_spec(name, args["engine"], args["pod"])
    if args.get("runtime") != "huggingface":
        return {**pod, "containers": [{**pod["containers"][0], "name": CONTAINER}]}
    user = {**pod["securityContext"], "runAsUser": SERVER.user, "runAsGroup": SERVER.user, "fsGroup": SERVER.user}
    return {**pod, "securityContext": user, "containers": [_hugging_face_container(name, args)]}


def _hugging_face_container(name: str, args: KServeModelArgs) -> Spec:
    """KServe's own server: the engine's container, with what differs."""
    engine, pod = args["engine"], args["pod"]
    container = engine_container(name, engine, pod)
    ready = {"httpGet": {"path": SERVER.ready_path.format(name=name), "port": "http"}}
    probes = {probe: {**container[probe], **ready} for probe in ("startupProbe", "readinessProbe")}
    alive = {**container["livenessProbe"], "httpGet": {"path": "/", "port": "http"}}
    mounted = [{**item, **_home_of_cache(item)} for item in mounts(engine, pod)]
    return {
        **container,
        **probes,
        "name": CONTAINER,
        "args": _hugging_face_arguments(name, args),
        "env": _hugging_face_variables(args),
        "ports": [{"name": "http", "containerPort": SERVER.port, "protocol": "TCP"}],
        "livenessProbe": alive,
        "volumeMounts": mounted,
    }


def _home_of_cache(mount: Spec) -> Spec:
    return {"mountPath": f"{SERVER.home}/.cache"} if mount["name"] == "cache" else {}


def _hugging_face_arguments(name: str, args: KServeModelArgs) -> list[str]:
    engine, weights = args["engine"], args["pod"].get("weights")
    flags = {
        SERVER.name_flag: name,
        SERVER.backend_flag: "vllm",
        SERVER.repository_flag: None if weights else engine["model"],
        SERVER.revision_flag: None if weights else engine.get("revision"),
        SERVER.path_flag: weights["model"] if weights else None,
        SERVER.context_flag: engine.get("max_model_len"),
        SERVER.tensor_parallel_flag: engine["tensor_parallel"],
        SERVER.memory_flag: engine["gpu_memory_utilization"],
    }
    return [f"{flag}={value}" for flag, value in flags.items() if value is not None]


def _hugging_face_variables(args: KServeModelArgs) -> list[Spec]:
    pod = args["pod"]
    own = [
        {"name": "HOME", "value": SERVER.home},
        # The image points it at /tmp, which is nobody's volume.
        {"name": "HF_HOME", "value": f"{SERVER.home}/.cache/huggingface"},
        # The vLLM inside has the same patience with itself, ten minutes unless it is told.
        {"name": VLLM.ready_timeout_variable, "value": str(pod["startup_seconds"])},
        # The API under /v1 as with every other engine: routes and load balancers know no other paths.
        {"name": SERVER.prefix_variable, "value": ""},
    ]
    return [*own, *(weight_variables(pod["weights"]) if "weights" in pod else token_variables(pod))]


def _accepted_by_knative(pod: Spec) -> Spec:
    """The pod without what Knative refuses (pkg/apis/serving/fieldmask.go).

    Knative stops a pod by itself: its proxy goes on serving until senders have heard, and the grace period is the
    revision's time-out. A port has one of its names, and probes have its number.
    """
    container = {key: value for key, value in pod["containers"][0].items() if key != "lifecycle"}
    ports = [{**port, "name": _KNATIVE_PORT} for port in container["ports"]]
    number = ports[0]["containerPort"]
    probes = {
        probe: _on_port(container[probe], number) for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    kept = {key: value for key, value in pod.items() if key != "terminationGracePeriodSeconds"}
    return {**kept, "containers": [{**container, "ports": ports, **probes}]}


def _on_port(probe: dict[str, Any], number: int) -> Spec:
    """A probe of the port by its number; InferenceService's CRD insists on one in a startup probe."""
    return {**probe, "httpGet": {**probe["httpGet"], "port": number}}
