"""The pod of a server, in parts, the same for every form of serving. Plain values in, dicts out."""

import math

from components.serving.compile_cache_spec import cache_mounts, cache_variables, cache_volumes
from components.serving.engine_arguments import (
    custom_variables,
    engine_arguments,
    engine_of,
    engine_variables,
    gpus_of,
    home_of,
    token_variables,
)
from components.serving.server_place import nodes_apart, priority, zone_constraints
from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs
from components.serving.weights_spec import weight_containers, weight_mounts, weight_volumes
from components.specs import Spec
from infra.catalog.engines import VLLM
from infra.conventions import CAPACITY_TYPE_LABEL, ENGINE_LABEL, GPU_RESOURCE, GPU_TAINT, NODEPOOL_LABEL
from infra.planning.drain import DrainBudget
from infra.planning.startup import PROBE_PERIOD_SECONDS, StartupBudget

CONTAINER = "engine"


def object_labels(name: str, engine: EngineOptionsArgs | None = None) -> dict[str, str]:
    """Labels of every object of the server `name`; without options of its engine, which is then vLLM."""
    label = engine_of(engine).label if engine else VLLM.label
    return {**selector_labels(name), "app.kubernetes.io/part-of": "gpu-platform", ENGINE_LABEL: label}


def selector_labels(name: str) -> dict[str, str]:
    """Labels that select the pods; a Deployment's selector cannot change, so these are few."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "model-server"}


def one_at_a_time(selector: Spec) -> Spec:
    """`PodDisruptionBudget.spec` that lets one of the pods go."""
    return {
        "maxUnavailable": 1,
        "selector": {"matchLabels": selector},
        # What never became ready does not hold up a drain.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def pod_spec(name: str, engine: EngineOptionsArgs, pod: ServingPodArgs) -> Spec:
    """The pod of a server that runs on one node."""
    first = weight_containers(pod["image"], pod["weights"], token_variables(pod)) if "weights" in pod else []
    return {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        # A Service named "vllm" would inject VLLM_PORT, which the engine reads as its own setting.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": drain_of(pod).grace_period_seconds,
        "securityContext": pod_security(engine),
        "affinity": affinity(name, pod),
        "topologySpreadConstraints": zone_constraints(selector_labels(name), pod.get("place", {})),
        **priority(pod.get("place", {})),
        "tolerations": tolerations(pod),
        **({"initContainers": first} if first else {}),
        "containers": [engine_container(name, engine, pod)],
        "volumes": volumes(engine, pod),
    }


def drain_of(pod: ServingPodArgs) -> DrainBudget:
    """The three numbers of a drain."""
    return DrainBudget(pod["pre_stop_seconds"], pod["shutdown_timeout_seconds"])


def pod_security(engine: EngineOptionsArgs) -> Spec:
    """The pod's security context: the image's unprivileged user."""
    facts = engine_of(engine)
    user, group = facts.user, facts.group
    if "run_as" in engine:
        user, group = engine["run_as"]["user"], engine["run_as"]["group"]
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": group,
        "fsGroup": group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def tolerations(pod: ServingPodArgs) -> list[Spec]:
    """The taint of every GPU node, and those of the pod's pools."""
    return [
        {"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"},
        *({"operator": "Equal", **toleration} for toleration in pod.get("tolerations", [])),
    ]


def node_affinity(pod: ServingPodArgs) -> Spec:
    """The pools a server may run on, and whether on spot."""
    where = [{"key": NODEPOOL_LABEL, "operator": "In", "values": list(pod["node_pools"])}]
    if not pod["spot_allowed"]:
        where.append({"key": CAPACITY_TYPE_LABEL, "operator": "NotIn", "values": ["spot"]})
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": where}]}}


def affinity(name: str, pod: ServingPodArgs) -> Spec:
    """Its pools, and replicas apart from each other."""
    return {
        "nodeAffinity": node_affinity(pod),
        "podAntiAffinity": nodes_apart(selector_labels(name), pod.get("place", {})),
    }


def engine_container(name: str, engine: EngineOptionsArgs, pod: ServingPodArgs) -> Spec:
    """The container that serves."""
    facts, arguments = engine_of(engine), engine_arguments(name, engine, pod)
    cache = cache_variables(facts.name, pod["image"], arguments, pod.get("place", {}))
    metrics = [{"name": "metrics", "containerPort": facts.metrics_port, "protocol": "TCP"}]
    return {
        "name": CONTAINER,
        "image": pod["image"],
        **({"command": list(facts.command)} if facts.command else {}),
        "args": arguments,
        "env": [*custom_variables(name, engine, pod), *engine_variables(engine, pod), *cache],
        "ports": [
            {"name": "http", "containerPort": facts.port, "protocol": "TCP"},
            *(metrics if facts.metrics_path and facts.metrics_port != facts.port else []),
        ],
        "resources": resources(engine, pod),
        **probes(pod, engine),
        # Endpoints go while this sleeps; the engine itself stays healthy and would abort what came after SIGTERM.
        "lifecycle": {"preStop": {"sleep": {"seconds": pod["pre_stop_seconds"]}}},
        "securityContext": container_security(),
        "volumeMounts": mounts(engine, pod),
    }


def resources(engine: EngineOptionsArgs, pod: ServingPodArgs) -> Spec:
    """Requests and limits of the engine's container."""
    memory = f"{pod['memory_gib'] + shared_memory_gib(engine, pod)}Gi"
    gpu, gpus = pod.get("gpu_resource", GPU_RESOURCE), str(gpus_of(engine))
    return {
        "requests": {
            "cpu": str(pod["cpu"]),
            "memory": memory,
            "ephemeral-storage": f"{pod['cache_gib'] + _copy_gib(pod)}Gi",
            gpu: gpus,
        },
        # No CPU limit: throttling the tokenizer and the scheduler of the engine costs GPU time.
        "limits": {"memory": memory, gpu: gpus},
    }


def probes(pod: ServingPodArgs, engine: EngineOptionsArgs) -> Spec:
    """Startup, readiness and liveness of a container with an HTTP server."""
    facts = engine_of(engine)
    return {
        # Loading takes minutes in which the port refuses connections: the startup probe alone covers them.
        "startupProbe": {
            "httpGet": {"path": facts.start_path, "port": "http"},
            "periodSeconds": PROBE_PERIOD_SECONDS,
            "timeoutSeconds": 5,
            "failureThreshold": StartupBudget(pod["startup_seconds"]).probe_failures,
        },
        "readinessProbe": {
            "httpGet": {"path": facts.ready_path, "port": "http"},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 2,
        },
        # Slower to act than readiness: a busy engine is taken out of the endpoints long before it is restarted.
        "livenessProbe": {
            "httpGet": {"path": facts.live_path, "port": "http"},
            "periodSeconds": 10,
            "timeoutSeconds": 10,
            "failureThreshold": 6,
        },
    }


def container_security() -> Spec:
    """The engine container's security context."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": False,  # vLLM does not document a read-only root; KServe's template agrees
    }


def mounts(engine: EngineOptionsArgs, pod: ServingPodArgs) -> list[Spec]:
    """What the engine's container mounts; every name is one of `volumes`."""
    return [
        {"name": "cache", "mountPath": f"{home_of(engine)}/.cache"},
        *([{"name": "shared-memory", "mountPath": "/dev/shm"}] if shared_memory_gib(engine, pod) else []),
        *cache_mounts(pod.get("place", {})),
        *(weight_mounts(pod["weights"]) if "weights" in pod else []),
    ]


def volumes(engine: EngineOptionsArgs, pod: ServingPodArgs) -> list[Spec]:
    """Volumes of the pod."""
    found: list[Spec] = [{"name": "cache", "emptyDir": {"sizeLimit": f"{pod['cache_gib']}Gi"}}]
    if gib := shared_memory_gib(engine, pod):
        # Workers of one server exchange tensors through it; a container's default is 64 MiB.
        found.append({"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": f"{gib}Gi"}})
    found += cache_volumes(pod.get("place", {}))
    return [*found, *(weight_volumes(pod["weights"]) if "weights" in pod else [])]


def shared_memory_gib(engine: EngineOptionsArgs, pod: ServingPodArgs) -> int:
    """/dev/shm in GiB: where several GPUs work together, and for KV blocks that vLLM keeps on the host.

    vLLM maps them from a file in /dev/shm and fails where it has no room (v1/kv_offload/cpu/shared_offload_region.py).
    """
    offload = engine.get("kv_offload")
    together = gpus_of(engine) > 1 or engine.get("nodes", 1) > 1 or offload is not None
    return (pod["shared_memory_gib"] if together else 0) + (math.ceil(offload["gib"]) if offload else 0)


def _copy_gib(pod: ServingPodArgs) -> int:
    """Disk in GiB for a copy of the weights on the node."""
    return pod["weights"]["cache"]["gib"] if "cache" in pod.get("weights", {}) else 0
