"""The shape of a model server's objects: plain values in, Kubernetes specs out."""

from typing import TYPE_CHECKING

from components.serving.weights_spec import weight_containers, weight_mounts, weight_variables, weight_volumes
from components.specs import Spec
from infra.catalog.engines import VLLM
from infra.conventions import CAPACITY_TYPE_LABEL, ENGINE_LABEL, GPU_RESOURCE, GPU_TAINT, NODEPOOL_LABEL
from infra.planning.drain import DrainBudget
from infra.planning.startup import PROBE_PERIOD_SECONDS, StartupBudget

if TYPE_CHECKING:
    from components.serving.model_server import ModelServerArgs

CONTAINER = "engine"
SERVICE_PORT = 80


def object_labels(name: str) -> dict[str, str]:
    """Labels of every object of the server `name`."""
    return {**selector_labels(name), "app.kubernetes.io/part-of": "gpu-platform", ENGINE_LABEL: VLLM.label}


def selector_labels(name: str) -> dict[str, str]:
    """Labels that select the pods; a Deployment's selector cannot change, so these are few."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "model-server"}


def deployment_spec(name: str, args: "ModelServerArgs") -> Spec:
    """`Deployment.spec`."""
    return {
        "replicas": args["replicas"],
        "selector": {"matchLabels": selector_labels(name)},
        # A new server is ready before an old one goes: capacity never falls during a rollout.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "progressDeadlineSeconds": StartupBudget(args["startup_seconds"]).rollout_seconds,
        "template": {
            "metadata": {"labels": object_labels(name)},
            "spec": _pod_spec(name, args),
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


def _pod_spec(name: str, args: "ModelServerArgs") -> Spec:
    drain = DrainBudget(args["pre_stop_seconds"], args["shutdown_timeout_seconds"])
    first = weight_containers(args["image"], args["weights"], _token(args)) if "weights" in args else []
    return {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        # A Service named "vllm" would inject VLLM_PORT, which the engine reads as its own setting.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": drain.grace_period_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": VLLM.user,
            "runAsGroup": VLLM.group,
            "fsGroup": VLLM.group,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": _affinity(name, args),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",  # GPUs are often to be had in one zone only
                "labelSelector": {"matchLabels": selector_labels(name)},
            }
        ],
        "tolerations": [
            {"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"},
            *({"operator": "Equal", **toleration} for toleration in args.get("tolerations", [])),
        ],
        **({"initContainers": first} if first else {}),
        "containers": [_container(name, args)],
        "volumes": [*_volumes(args), *(weight_volumes(args["weights"]) if "weights" in args else [])],
    }


def _affinity(name: str, args: "ModelServerArgs") -> Spec:
    where = [{"key": NODEPOOL_LABEL, "operator": "In", "values": list(args["node_pools"])}]
    if not args["spot_allowed"]:
        where.append({"key": CAPACITY_TYPE_LABEL, "operator": "NotIn", "values": ["spot"]})
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": where}]}
        },
        # Preferred: replicas apart, so that one node takes one of them; together rather than not at all.
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": selector_labels(name)},
                    },
                }
            ]
        },
    }


def _container(name: str, args: "ModelServerArgs") -> Spec:
    memory = f"{args['memory_gib'] + _shared_memory_gib(args)}Gi"
    gpu, gpus = args.get("gpu_resource", GPU_RESOURCE), str(args["tensor_parallel"])
    health = {"httpGet": {"path": VLLM.health_path, "port": "http"}}
    return {
        "name": CONTAINER,
        "image": args["image"],
        "args": _arguments(name, args),
        "env": _environment(args),
        "ports": [{"name": "http", "containerPort": VLLM.port, "protocol": "TCP"}],
        "resources": {
            "requests": {
                "cpu": str(args["cpu"]),
                "memory": memory,
                "ephemeral-storage": f"{args['cache_gib'] + _copy_gib(args)}Gi",
                gpu: gpus,
            },
            # No CPU limit: throttling the tokenizer and the scheduler of the engine costs GPU time.
            "limits": {"memory": memory, gpu: gpus},
        },
        # Loading takes minutes in which the port refuses connections: the startup probe alone covers them.
        "startupProbe": {
            **health,
            "periodSeconds": PROBE_PERIOD_SECONDS,
            "timeoutSeconds": 5,
            "failureThreshold": StartupBudget(args["startup_seconds"]).probe_failures,
        },
        "readinessProbe": {**health, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 2},
        # Slower to act than readiness: a busy engine is taken out of the endpoints long before it is restarted.
        "livenessProbe": {**health, "periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": 6},
        # Endpoints go while this sleeps; the engine itself stays healthy and would abort what came after SIGTERM.
        "lifecycle": {"preStop": {"sleep": {"seconds": args["pre_stop_seconds"]}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": False,  # vLLM does not document a read-only root; KServe's template agrees
        },
        "volumeMounts": [
            {"name": "cache", "mountPath": f"{VLLM.home}/.cache"},
            *([{"name": "shared-memory", "mountPath": "/dev/shm"}] if _shared_memory_gib(args) else []),
            *(weight_mounts(args["weights"]) if "weights" in args else []),
        ],
    }


def _arguments(name: str, args: "ModelServerArgs") -> list[str]:
    """Arguments of `vllm serve`, the image's entry point."""
    weights = args.get("weights")
    flags = {
        VLLM.served_name_flag: name,
        VLLM.revision_flag: None if weights else args.get("revision"),  # a path has none
        VLLM.tensor_parallel_flag: args["tensor_parallel"],
        VLLM.context_flag: args.get("max_model_len"),
        VLLM.memory_flag: args["gpu_memory_utilization"],
        VLLM.drain_flag: args["shutdown_timeout_seconds"],
    }
    given = [f"{flag}={value}" for flag, value in flags.items() if value is not None]
    return [weights["model"], *given, *weights.get("flags", [])] if weights else [args["model"], *given]


def _environment(args: "ModelServerArgs") -> list[Spec]:
    variables: list[Spec] = [
        {"name": "HOME", "value": VLLM.home},
        # The engine's own patience, in step with the startup probe's.
        {"name": VLLM.ready_timeout_variable, "value": str(args["startup_seconds"])},
    ]
    if "weights" in args:
        variables += weight_variables(args["weights"])
    # What is mounted was downloaded by somebody else: the engine has no use for the token.
    return variables if "weights" in args else variables + _token(args)


def _token(args: "ModelServerArgs") -> list[Spec]:
    secret = args.get("token_secret")
    if not secret:
        return []
    reference = {"name": secret["name"], "key": secret["key"]}
    return [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}]


def _volumes(args: "ModelServerArgs") -> list[Spec]:
    volumes: list[Spec] = [{"name": "cache", "emptyDir": {"sizeLimit": f"{args['cache_gib']}Gi"}}]
    if _shared_memory_gib(args):
        # Workers of one server exchange tensors through it; a container's default is 64 MiB.
        memory = {"medium": "Memory", "sizeLimit": f"{_shared_memory_gib(args)}Gi"}
        volumes.append({"name": "shared-memory", "emptyDir": memory})
    return volumes


def _copy_gib(args: "ModelServerArgs") -> int:
    """Disk in GiB for a copy of the weights on the node."""
    return args["weights"]["cache"]["gib"] if "cache" in args.get("weights", {}) else 0


def _shared_memory_gib(args: "ModelServerArgs") -> int:
    return args["shared_memory_gib"] if args["tensor_parallel"] > 1 else 0
