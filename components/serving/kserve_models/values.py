"""What KServe is told: values of its charts, and its configuration. Plain values in, dicts out.

Every key was held against the charts in the Go module github.com/kserve/kserve@v0.20.0 (read 2026-11-21).

The configuration is a ConfigMap of ours and not the chart's: everything that decides what becomes of a model stands in
the plan, where a policy can read it. Three of the charts' defaults would not do: mode Knative, a CPU limit of one core
and 2 GiB of memory for what says nothing else, and Ingresses of a class `istio`.
"""

import json
from typing import Any

from components.specs import Spec

NAMESPACE = "kserve"
CONFIGURATION = "inferenceservice-config"

# Every GPU node has a taint that no controller tolerates. Without this they would run on the CPU pool only, and an
# environment without one would wait for them until the release's time-out.
ON_SYSTEM_NODES: list[Spec] = [{"key": "CriticalAddonsOnly", "operator": "Exists"}]


def namespace_spec() -> Spec:
    """Metadata of KServe's namespace. `control-plane` keeps its own pods out of its webhooks, as its manifests do."""
    labels = {
        "app.kubernetes.io/part-of": "gpu-platform",
        "control-plane": "kserve-controller-manager",
        "pod-security.kubernetes.io/enforce": "baseline",
    }
    return {"name": NAMESPACE, "labels": labels}


def configuration_data(version: str, mode: str, gateway: str) -> dict[str, str]:
    """`ConfigMap.data` of `inferenceservice-config`: JSON under each key.

    Args:
        version: of KServe's images, such as v0.20.0.
        mode: of an InferenceService that does not say; ours all do.
        gateway: namespace/name of the Gateway that routes name; a name of nobody's where there is none.
    """
    agent = {"image": f"docker.io/kserve/agent:{version}", **_sized("100m", "100Mi", "1", "1Gi")}
    found: dict[str, Any] = {
        "deploy": {"defaultDeploymentMode": mode},
        "ingress": _ingress(gateway),
        # Nothing: a container without requests of its own stays without. The chart would write a limit of one core,
        # below what an engine asks for, and the API server refuses such a pod.
        "inferenceService": {"resource": {}},
        "storageInitializer": {
            "image": f"docker.io/kserve/storage-initializer:{version}",
            **_sized("100m", "100Mi", "1", "1Gi"),
            "caBundleConfigMapName": "",
            "caBundleVolumeMountPath": "/etc/ssl/custom-certs",
            "enableModelcar": False,
        },
        "credentials": {
            "storageSpecSecretName": "storage-config",
            "storageSecretNameAnnotation": "serving.kserve.io/secretName",
            "gcs": {"gcsCredentialFileName": "gcloud-application-credentials.json"},
            "s3": {"s3AccessKeyIDName": "AWS_ACCESS_KEY_ID", "s3SecretAccessKeyName": "AWS_SECRET_ACCESS_KEY"},
        },
        "service": {"serviceClusterIPNone": False},
        "security": {"autoMountServiceAccountToken": False},
        "agent": agent,
        "logger": {**agent, "defaultUrl": "http://default-broker"},
        "batcher": {**agent, **_sized("1", "1Gi", "1", "1Gi"), "maxBatchSize": "32", "maxLatency": "5000"},
        "router": {"image": f"docker.io/kserve/router:{version}", **_sized("100m", "100Mi", "1", "1Gi")},
        "explainers": {"art": {"image": "docker.io/kserve/art-explainer", "defaultImageVersion": version}},
        "metricsAggregator": {"enableMetricAggregation": "false", "enablePrometheusScraping": "false"},
        "localModel": {"enabled": False},
    }
    return {key: json.dumps(value, indent=1, sort_keys=True) for key, value in sorted(found.items())}


def _ingress(gateway: str) -> Spec:
    """KServe makes no way in from outside: the gateway's routes say what is reachable."""
    return {
        "enableGatewayApi": True,
        "kserveIngressGateway": gateway,
        "ingressGateway": "knative-serving/knative-ingress-gateway",
        "localGateway": "knative-serving/knative-local-gateway",
        "localGatewayService": "knative-local-gateway.istio-system.svc.cluster.local",
        "ingressDomain": "svc.cluster.local",
        "urlScheme": "http",
        "disableIstioVirtualHost": True,  # Knative's network layer here is Kourier
        "disableIngressCreation": True,
    }


def _sized(cpu: str, memory: str, cpu_limit: str, memory_limit: str) -> Spec:
    return {"cpuRequest": cpu, "memoryRequest": memory, "cpuLimit": cpu_limit, "memoryLimit": memory_limit}


def resources_values(*, shared: bool) -> Spec:
    """Values of kserve-resources.

    Args:
        shared: whether this release brings what both charts of controllers would: the issuer of their webhooks'
            certificates and the default storage container. One of them must, and only one.
    """
    return {
        "kserve": {
            **_shared_objects(brought=shared),
            "controller": {"deploymentMode": "Standard", "tolerations": ON_SYSTEM_NODES},
        }
    }


def llm_resources_values(*, shared: bool, pool_definitions: bool) -> Spec:
    """Values of kserve-llmisvc-resources, whose controller stands under `llmisvc`.

    Args:
        shared: as for `resources_values`.
        pool_definitions: whether this release brings the CRDs of InferencePool and its kin; not where the gateway has
            them.
    """
    return {
        "kserve": {
            **_shared_objects(brought=shared),
            "controller": {"deploymentMode": "Standard"},
            "llmisvc": {"createGIECRDs": pool_definitions, "controller": {"tolerations": ON_SYSTEM_NODES}},
        }
    }


def _shared_objects(*, brought: bool) -> Spec:
    return {
        # All or nothing of the shared objects; the next three say which.
        "createSharedResources": False,
        "inferenceServiceConfig": {"enabled": False},
        "certManager": {"enabled": brought},
        "storagecontainer": {"enabled": brought},
    }


def runtime_configs_values() -> Spec:
    """Values of kserve-runtime-configs: the templates of LLMInferenceServices, and no runtimes (:latest images)."""
    return {"kserve": {"llmisvcConfigs": {"enabled": True}, "servingruntime": {"enabled": False}}}
