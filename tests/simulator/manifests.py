"""Manifests written by hand, as the program would write them, for tests of the simulator and of placement."""

from typing import Any

from infra.plan.manifests import Manifest

Json = dict[str, Any]

GPU_TAINT = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}


def manifest(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> Manifest:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return Manifest(
        {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}, f"urn:test::{kind}::{name}"
    )


def ec2_node_class(name: str = "gpu", **spec: Any) -> Manifest:
    body = {
        "amiSelectorTerms": [{"alias": "al2023@v20260714"}],
        "role": "KarpenterNodeRole-demo",
        "subnetSelectorTerms": [{"tags": {"karpenter.sh/discovery": "demo"}}],
        "securityGroupSelectorTerms": [{"tags": {"karpenter.sh/discovery": "demo"}}],
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": "200Gi", "volumeType": "gp3"}}],
        **spec,
    }
    return manifest("karpenter.k8s.aws/v1", "EC2NodeClass", name, spec=body)


def requirement(key: str, *values: str, operator: str = "In") -> Json:
    return {"key": key, "operator": operator, "values": list(values)}


def node_pool(
    name: str = "gpu", requirements: tuple[Json, ...] = (), taints: tuple[Json, ...] = (GPU_TAINT,), **spec: Any
) -> Manifest:
    node = {
        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"},
        "requirements": list(requirements),
        "taints": list(taints),
        "startupTaints": [{"key": "efs.csi.aws.com/agent-not-ready", "effect": "NoExecute"}],
    }
    template = {"metadata": {"labels": {"pool": name}}, "spec": node}
    return manifest("karpenter.sh/v1", "NodePool", name, spec={"template": template, **spec})


L40S = (
    requirement("karpenter.k8s.aws/instance-gpu-name", "l40s"),
    requirement("karpenter.sh/capacity-type", "spot", "on-demand"),
    requirement("topology.k8s.aws/zone-id", "use1-az4", "use1-az6"),
)


def gpu_pod(gpus: int = 1, **spec: Any) -> Json:
    container = {
        "name": "engine",
        "image": "docker.io/vllm/vllm-openai:v0.33.0",
        "resources": {
            "requests": {"cpu": "2", "memory": "8Gi"},
            "limits": {"memory": "8Gi", "nvidia.com/gpu": str(gpus)},
        },
    }
    return {"containers": [container], "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}], **spec}


def deployment(name: str, pod: Json, replicas: int = 1, namespace: str = "llm") -> Manifest:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return manifest("apps/v1", "Deployment", name, namespace, spec=spec)


def small_plan(replicas: int = 2) -> list[Manifest]:
    """One pool, its class, one model and what stands beside it."""
    return [
        ec2_node_class(),
        node_pool(requirements=L40S, limits={"nvidia.com/gpu": 8}),
        manifest("v1", "ConfigMap", "engine", "llm", data={"model": "qwen"}),
        deployment("qwen", gpu_pod(), replicas),
        manifest("v1", "Service", "qwen", "llm", spec={"selector": {"app": "qwen"}, "ports": [{"port": 8000}]}),
    ]
