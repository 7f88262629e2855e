"""The shape of the gateway's own objects: plain values in, specs out. Routes are in `routes_spec`.

Field by field as Envoy Gateway 1.8.1 has them (api/v1alpha1); the annotations are those of the AWS Load Balancer
Controller 3.5 for a Service.
"""

from typing import TYPE_CHECKING

from components.specs import Spec
from infra.planning.routes import CLIENT_HEADER, HOP_MARGIN_SECONDS, OWN_HEADERS, OWN_PREFIXES, listener_name

if TYPE_CHECKING:
    from components.serving.gateway.args import AuthenticationArgs, InferenceGatewayArgs

_GATEWAY, _ENVOY, _AI = (
    "gateway.networking.k8s.io/v1",
    "gateway.envoyproxy.io/v1alpha1",
    "aigateway.envoyproxy.io/v1beta1",
)
API_VERSIONS = {
    "GatewayClass": _GATEWAY,
    "Gateway": _GATEWAY,
    "HTTPRoute": _GATEWAY,
    "EnvoyProxy": _ENVOY,
    "ClientTrafficPolicy": _ENVOY,
    "BackendTrafficPolicy": _ENVOY,
    "SecurityPolicy": _ENVOY,
    "EnvoyExtensionPolicy": _ENVOY,
    "HTTPRouteFilter": _ENVOY,
    "Backend": _ENVOY,
    "AIGatewayRoute": _AI,
    "AIServiceBackend": _AI,
    "Certificate": "cert-manager.io/v1",
    "ExternalSecret": "external-secrets.io/v1",
}

GATEWAY_CLASS = "gpu-platform"
HTTP, HTTPS = 80, 443
# Header with the client's key or token.
AUTHORIZATION = "authorization"
# Prompts are buffered to read the model's name; the default, 32 KiB, would refuse them. As in the gateway's examples.
BUFFER_LIMIT = "50Mi"
# Time in which load balancers stop sending to an Envoy that ends: the default deregistration delay is longer than it
# need be, so it is set to this.
LEAVING_SECONDS = 30
_ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer-"


def listener_port(args: "InferenceGatewayArgs") -> int:
    """Port that clients connect to."""
    return HTTPS if "tls" in args else HTTP


def certificate_secret(name: str, args: "InferenceGatewayArgs") -> str:
    """Secret with the certificate in the gateway's namespace; empty: TLS does not end in Envoy."""
    tls = args.get("tls", {})
    return tls.get("secret", f"{name}-certificate" if "issuer" in tls else "")


def gateway_spec(name: str, args: "InferenceGatewayArgs") -> Spec:
    """`Gateway.spec`: one listener a host name, open to routes of the gateway's and the models' namespaces."""
    secret = certificate_secret(name, args)
    allowed = sorted({args["namespace"], *args["route_namespaces"]})
    listener: Spec = {
        "protocol": "HTTPS" if secret else "HTTP",
        "port": listener_port(args),
        "allowedRoutes": {
            "namespaces": {
                "from": "Selector",
                "selector": {
                    "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": allowed}]
                },
            }
        },
    }
    if secret:
        listener["tls"] = {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": secret}]}
    hosts = args["host_names"]
    return {
        "gatewayClassName": GATEWAY_CLASS,
        "infrastructure": {"parametersRef": {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": name}},
        "listeners": [{"name": listener_name(host), "hostname": host, **listener} for host in hosts]
        or [{"name": "all", **listener}],
    }


def envoy_proxy_spec(args: "InferenceGatewayArgs") -> Spec:
    """`EnvoyProxy.spec`: how many proxies, how they end, and the load balancer in front of them."""
    selector = {"matchLabels": {"gateway.envoyproxy.io/owning-gateway-namespace": args["namespace"]}}
    service: Spec = {
        "type": "LoadBalancer",
        "loadBalancerClass": "service.k8s.aws/nlb",
        "allocateLoadBalancerNodePorts": False,  # targets are pods
        "externalTrafficPolicy": "Cluster",
        "annotations": load_balancer_annotations(args),
    }
    if args["source_ranges"]:
        service["loadBalancerSourceRanges"] = list(args["source_ranges"])
    return {
        "provider": {
            "type": "Kubernetes",
            "kubernetes": {
                "envoyDeployment": {
                    "replicas": args["replicas"],
                    "pod": {
                        "topologySpreadConstraints": [
                            {
                                "maxSkew": 1,
                                "topologyKey": "topology.kubernetes.io/zone",
                                "whenUnsatisfiable": "ScheduleAnyway",
                                "labelSelector": selector,
                            }
                        ]
                    },
                    "container": {
                        # An estimate; the default is 100m and 512Mi, and each long prompt is buffered.
                        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
                    },
                },
                "envoyPDB": {"minAvailable": args["replicas"] - 1},
                "envoyService": service,
            },
        },
        # A proxy that ends answers what it has begun; it leaves the load balancer first.
        "shutdown": {
            "drainTimeout": f"{LEAVING_SECONDS + args['longest_request_seconds']}s",
            "minDrainDuration": f"{LEAVING_SECONDS}s",
        },
    }


def load_balancer_annotations(args: "InferenceGatewayArgs") -> dict[str, str]:
    """Annotations of the Service: scheme, targets, time-outs and, with a certificate of ACM, TLS."""
    port = listener_port(args)
    found = {
        f"{_ANNOTATION}scheme": args["scheme"],
        f"{_ANNOTATION}nlb-target-type": "ip",
        f"{_ANNOTATION}attributes": "load_balancing.cross_zone.enabled=true",
        f"{_ANNOTATION}target-group-attributes": f"deregistration_delay.timeout_seconds={LEAVING_SECONDS}",
    }
    arn = args.get("tls", {}).get("certificate_arn")
    if arn:
        found[f"{_ANNOTATION}ssl-cert"] = arn
        found[f"{_ANNOTATION}ssl-ports"] = str(port)
    else:  # the idle time-out of a TLS listener cannot be set
        found[f"{_ANNOTATION}listener-attributes.TCP-{port}"] = f"tcp.idle_timeout.seconds={args['idle_seconds']}"
    return found


def client_policy_spec(name: str, args: "InferenceGatewayArgs") -> Spec:
    """`ClientTrafficPolicy.spec`: what the gateway takes from clients, and for how long it waits in silence."""
    return {
        "targetRefs": [_target("Gateway", name)],
        "connection": {"bufferLimit": BUFFER_LIMIT},
        "headers": {
            "earlyRequestHeaders": {
                "remove": list(OWN_HEADERS),
                "removeOnMatch": [{"type": "Prefix", "value": prefix} for prefix in OWN_PREFIXES],
            }
        },
        "path": {"escapedSlashesAction": "RejectRequest", "disableMergeSlashes": False},
        # Keeps a connection alive through the load balancer while an answer without streaming is made.
        "tcpKeepalive": {"probes": 3, "idleTime": "60s", "interval": "30s"},
        "timeout": {
            "http": {
                "requestReceivedTimeout": "60s",
                "streamIdleTimeout": f"{args['longest_request_seconds'] + HOP_MARGIN_SECONDS}s",
            }
        },
    }


def security_policy_spec(name: str, authentication: "AuthenticationArgs") -> Spec:
    """`SecurityPolicy.spec`: on the gateway, so that no route is without it."""
    policy: Spec = {"targetRefs": [_target("Gateway", name)]}
    if "api_key_secret" in authentication:
        policy["apiKeyAuth"] = {
            "credentialRefs": [{"kind": "Secret", "name": authentication["api_key_secret"]}],
            # Envoy takes "Bearer " away by itself.
            "extractFrom": [{"headers": ["authorization"]}, {"headers": ["x-api-key"]}],
            "forwardClientIDHeader": CLIENT_HEADER,
            "sanitize": True,  # servers see no keys
        }
    if "jwt" in authentication:
        token = authentication["jwt"]
        policy["jwt"] = {
            "providers": [
                {
                    "name": "clients",
                    "issuer": token["issuer"],
                    "audiences": list(token["audiences"]),
                    "remoteJWKS": {"uri": token["jwks_uri"]},
                    "claimToHeaders": [{"header": CLIENT_HEADER, "claim": token["client_claim"]}],
                }
            ]
        }
    return policy


def forgotten_token_spec(name: str) -> Spec:
    """`EnvoyExtensionPolicy.spec`: takes the token away once it has been read.

    Envoy Gateway 1.8.2 always passes it on (internal/xds/translator/jwt.go, Forward), and a route to an InferencePool
    changes no headers (ai-gateway 1.0.0, AIGatewayRoute), so a script does it, which Envoy runs after the filter of
    tokens (httpfilters.go). A script that cannot be loaded makes every answer 500.
    """
    script = f'function envoy_on_request(handle)\n  handle:headers():remove("{AUTHORIZATION}")\nend\n'
    return {"targetRefs": [_target("Gateway", name)], "lua": [{"type": "Inline", "inline": script}]}


def certificate_spec(name: str, args: "InferenceGatewayArgs") -> Spec:
    """`Certificate.spec` of cert-manager."""
    return {
        "secretName": certificate_secret(name, args),
        "dnsNames": list(args["host_names"]),
        "issuerRef": {"group": "cert-manager.io", **args["tls"]["issuer"]},
        "privateKey": {"rotationPolicy": "Always"},
    }


def external_keys_spec(secret: str, external: Spec) -> Spec:
    """`ExternalSecret.spec`: every client of the store's JSON object becomes a key of the Secret."""
    return {
        "refreshInterval": "1h0m0s",
        "secretStoreRef": {"kind": external["store_kind"], "name": external["store"]},
        "target": {"name": secret, "creationPolicy": "Owner"},
        "dataFrom": [{"extract": {"key": external["remote_key"]}}],
    }


def _target(kind: str, name: str) -> Spec:
    return {"group": "gateway.networking.k8s.io", "kind": kind, "name": name}
