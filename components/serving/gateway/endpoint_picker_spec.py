"""The shape of an endpoint picker's objects: plain values in, Kubernetes specs out.

Arguments, ports and the configuration's form are those of llm-d-router v0.9.0 (config/charts/routerlib), and of
KServe 0.20.0's template of the same picker, which also runs it with a read-only root.
"""

from typing import TYPE_CHECKING

import yaml

from components.specs import Spec
from infra.conventions import API_CLIENT_LABEL, CLIENT_OF_LABEL, GATEWAY_NAMESPACE, MONITORING_NAMESPACE, PURPOSE_LABEL

if TYPE_CHECKING:
    from components.serving.gateway.endpoint_picker import EndpointPickerArgs

COMPONENT = "endpoint-picker"
GRPC_PORT, HEALTH_PORT, METRICS_PORT = 9002, 9003, 9090
CONFIG_KEY = "config.yaml"
# Streams of running requests go through the picker; the chart's own grace.
GRACE_SECONDS = 130


def picker_name(model: str) -> str:
    """Name of the picker's Deployment, Service and account, from the model's."""
    return f"{model}-picker"


def picker_labels(model: str) -> dict[str, str]:
    """Labels that select the picker's pods."""
    return {"app.kubernetes.io/name": picker_name(model), "app.kubernetes.io/component": COMPONENT}


def pool_spec(args: "EndpointPickerArgs") -> Spec:
    """`InferencePool.spec`: the replicas, and who picks among them."""
    return {
        "selector": {"matchLabels": dict(args["selector"])},
        "targetPorts": [{"number": args["port"]}],
        "endpointPickerRef": {
            "name": picker_name(args["model"]),
            "port": {"number": GRPC_PORT},
            # What Envoy AI Gateway 1.0 does whatever stands here (extensionserver/inferencepool.go: FailureModeAllow).
            "failureMode": "FailClose",
        },
    }


def configuration(args: "EndpointPickerArgs") -> str:
    """The EndpointPickerConfig: scorers and weights of the chart, and when a replica counts as full."""
    weights = {"queue-scorer": 2, "kv-cache-utilization-scorer": 2, "prefix-cache-scorer": 3}
    full = {
        "queueDepthThreshold": args["queue_depth_threshold"],
        "kvCacheUtilThreshold": args["kv_cache_threshold"],
    }
    reading = {"scheme": "http", "path": args["metrics_path"], "insecureSkipVerify": False}
    text: str = yaml.safe_dump(
        {
            "apiVersion": "llm-d.ai/v1alpha1",
            "kind": "EndpointPickerConfig",
            "plugins": [
                *({"type": kind} for kind in weights),
                {"type": "metrics-data-source", "parameters": reading},
                {"type": "core-metrics-extractor", "parameters": {"defaultEngine": args["engine"]}},
                {"type": "utilization-detector", "parameters": full},
            ],
            "flowControl": {"saturationDetector": {"pluginRef": "utilization-detector"}},
            "schedulingProfiles": [
                {
                    "name": "default",
                    "plugins": [{"pluginRef": kind, "weight": weight} for kind, weight in weights.items()],
                }
            ],
        },
        sort_keys=False,
    )
    return text


def rules(replicas: int) -> list[Spec]:
    """What the picker reads, and where several agree on one."""
    read = ["get", "list", "watch"]
    found: list[Spec] = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": read},
        {"apiGroups": ["inference.networking.k8s.io"], "resources": ["inferencepools"], "verbs": read},
        {"apiGroups": ["llm-d.ai"], "resources": ["inferenceobjectives", "inferencemodelrewrites"], "verbs": read},
    ]
    if replicas > 1:
        found += [
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "verbs": [*read, "create", "update", "patch", "delete"],
            },
            {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
        ]
    return found


def service_spec(model: str) -> Spec:
    """`Service.spec`: the gateway speaks gRPC over TLS to it."""
    return {
        "type": "ClusterIP",
        "selector": picker_labels(model),
        "ports": [
            {"name": "grpc-ext-proc", "port": GRPC_PORT, "targetPort": "grpc", "appProtocol": "http2"},
            {"name": "http-metrics", "port": METRICS_PORT, "targetPort": "metrics"},
        ],
    }


def deployment_spec(args: "EndpointPickerArgs", config_name: str) -> Spec:
    """`Deployment.spec`. An old leader holds the lease until it is gone, so a new version replaces it (Recreate)."""
    labels = {**picker_labels(args["model"]), "app.kubernetes.io/part-of": "gpu-platform"}
    return {
        "replicas": args["replicas"],
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": picker_labels(args["model"])},
        "template": {
            # What it calls: the Kubernetes API, and the servers, whose policies let in pods with this label.
            "metadata": {"labels": {**labels, API_CLIENT_LABEL: "true", CLIENT_OF_LABEL: args["model"]}},
            "spec": {
                "serviceAccountName": picker_name(args["model"]),
                "automountServiceAccountToken": True,  # it watches pods and its pool, and holds a lease
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": GRACE_SECONDS,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,  # as the image's Dockerfile says
                    "runAsGroup": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "nodeSelector": {PURPOSE_LABEL: "cpu"} if args["on_cpu_pool"] else {},
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "topology.kubernetes.io/zone",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": {"matchLabels": picker_labels(args["model"])},
                    }
                ],
                "containers": [_container(args)],
                "volumes": [{"name": "config", "configMap": {"name": config_name}}],
            },
        },
    }


def _container(args: "EndpointPickerArgs") -> Spec:
    several = args["replicas"] > 1
    memory = f"{args['memory_gib']}Gi"
    return {
        "name": "picker",
        "image": args["image"],
        "args": [
            f"--pool-name={args['model']}",
            f"--pool-namespace={args['namespace']}",
            "--pool-group=inference.networking.k8s.io",
            f"--config-file=/config/{CONFIG_KEY}",
            f"--grpc-port={GRPC_PORT}",
            f"--grpc-health-port={HEALTH_PORT}",
            f"--metrics-port={METRICS_PORT}",
            "--metrics-endpoint-auth=false",  # the network policy lets the monitor in and nobody else
            "--tracing=false",
            "--zap-encoder=json",
            *(["--ha-enable-leader-election"] if several else []),
        ],
        "ports": [
            {"name": "grpc", "containerPort": GRPC_PORT},
            {"name": "grpc-health", "containerPort": HEALTH_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "resources": {"requests": {"cpu": str(args["cpu"]), "memory": memory}, "limits": {"memory": memory}},
        "livenessProbe": {
            "grpc": {"port": HEALTH_PORT, "service": "liveness" if several else "inference-extension"},
            "initialDelaySeconds": 5,
            "periodSeconds": 10,
        },
        # With several, only the one that picks is ready: the Service leads to it alone.
        "readinessProbe": {
            "grpc": {"port": HEALTH_PORT, "service": "readiness" if several else "inference-extension"},
            "periodSeconds": 2,
        },
        "env": [
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "config", "mountPath": "/config", "readOnly": True}],
    }


def budget_spec(model: str) -> Spec:
    """`PodDisruptionBudget.spec`: those that wait are not ready, so what is not ready may always be evicted."""
    return {
        "maxUnavailable": 1,
        "selector": {"matchLabels": picker_labels(model)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def role_binding(args: "EndpointPickerArgs") -> tuple[Spec, list[Spec]]:
    """`roleRef` and `subjects` of the picker's RoleBinding."""
    name = picker_name(args["model"])
    return (
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        [{"kind": "ServiceAccount", "name": name, "namespace": args["namespace"]}],
    )


def picker_policy_spec(model: str) -> Spec:
    """Who may call the picker: Envoy, and the monitor its metrics."""
    return {
        "podSelector": {"matchLabels": picker_labels(model)},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": [_namespace(GATEWAY_NAMESPACE)], "ports": [{"protocol": "TCP", "port": GRPC_PORT}]},
            {"from": [_namespace(MONITORING_NAMESPACE)], "ports": [{"protocol": "TCP", "port": METRICS_PORT}]},
        ],
    }


def _namespace(name: str) -> Spec:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
