"""Values of the charts behind the gateway: Envoy Gateway, and Envoy AI Gateway which extends it.

Checked against the charts in the Go modules: gateway 1.8.1 (charts/gateway-helm, charts/gateway-crds-helm), ai-gateway
1.0.0 (manifests/charts, manifests/envoy-gateway-values.yaml, examples/inference-pool, examples/token_ratelimit).
"""

from components.specs import Spec

CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
EXTENSION_SERVICE, EXTENSION_PORT = "ai-gateway-controller", 1063


def crd_values() -> Spec:
    """Values of gateway-crds-helm: the standard channel of the Gateway API, and Envoy Gateway's own kinds."""
    return {"crds": {"gatewayAPI": {"enabled": True, "channel": "standard"}, "envoyGateway": {"enabled": True}}}


def envoy_gateway_values(namespace: str, rate_limit_store: str = "") -> Spec:
    """Values of gateway-helm.

    Args:
        namespace: where both controllers and the proxies run.
        rate_limit_store: `host:port` of a Redis; empty: no rate limit service is started.
    """
    config: Spec = {
        "gateway": {"controllerName": CONTROLLER},
        "provider": {"type": "Kubernetes"},
        "logging": {"level": {"default": "info"}},
        # Backends by host name are what AIServiceBackends lead to. Patches of xDS by hand stay off.
        "extensionApis": {"enableBackend": True},
        "extensionManager": {
            "backendResources": [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "version": "v1"}],
            "hooks": {
                "xdsTranslator": {
                    "translation": {kind: {"includeAll": True} for kind in ("listener", "route", "cluster", "secret")},
                    "post": ["Translation", "Cluster", "Route"],
                }
            },
            "service": {
                "fqdn": {
                    "hostname": f"{EXTENSION_SERVICE}.{namespace}.svc.cluster.local",
                    "port": EXTENSION_PORT,
                }
            },
        },
    }
    if rate_limit_store:
        config["rateLimit"] = {"backend": {"type": "Redis", "redis": {"url": rate_limit_store}}}
    return {
        "config": {"envoyGateway": config},
        "deployment": {"replicas": 2},  # one leads, the other serves xDS as well
        "podDisruptionBudget": {"minAvailable": 1},
    }


def ai_gateway_values(namespace: str) -> Spec:
    """Values of ai-gateway-helm: two controllers, one of which leads; proxies are looked for in `namespace`."""
    return {"controller": {"replicaCount": 2}, "envoyGateway": {"namespace": namespace}}


def namespace_spec(name: str) -> Spec:
    """`metadata` of the namespace of controllers and proxies.

    Pod security is baseline: what Envoy Gateway and the AI gateway's sidecar write would pass restricted as far as it
    was read, which no cluster has confirmed.
    """
    labels = {"app.kubernetes.io/part-of": "gpu-platform", "pod-security.kubernetes.io/enforce": "baseline"}
    return {"name": name, "labels": labels}
