"""The gateway: its controllers in the platform layer, its routes and pickers in the workloads layer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi

from infra.catalog.engines import engine
from infra.conventions import GATEWAY_NAME, GATEWAY_NAMESPACE
from infra.planning.routes import Patience
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.canary import without_canaries
from infra.settings.gateway import GatewaySettings, RouteSettings, TlsSettings
from infra.settings.gateway_access import AuthenticationSettings
from infra.settings.gateway_routes import (
    expanded,
    has_own_scheduler,
    models_of,
    patience_of,
    picked_models,
    picks,
    scales_by_requests,
)
from infra.settings.tokens import GATEWAY_KEYS, wants_keys
from infra.versions import (
    AI_GATEWAY,
    AI_GATEWAY_CHART,
    AI_GATEWAY_CRD_CHART,
    ENDPOINT_PICKER_IMAGE,
    ENVOY_GATEWAY,
    ENVOY_GATEWAY_CHART,
    ENVOY_GATEWAY_CRD_CHART,
    INFERENCE_EXTENSION_MANIFEST,
)
from stacks.kserve_layer import serves_llm_inference_services

if TYPE_CHECKING:  # imported where they are used: most environments have no gateway
    from components.serving.gateway.args import (
        AuthenticationArgs,
        GatewayRouteArgs,
        GatewayTlsArgs,
        InferenceGatewayArgs,
        RouteBackendArgs,
        RouteLimitArgs,
        ServersArgs,
    )
    from components.serving.gateway.endpoint_picker import EndpointPickerArgs
    from stacks.platform_layer import Cluster, PlatformLayer

OPERATOR = "envoy-gateway"
# Service of a ModelServer (components/serving/model_server_spec.py) and of a predictor of KServe with Knative.
_SERVICE_PORT = 80
# Leaders of a LeaderWorkerSet answer requests; the others only compute. Source: LeaderWorkerSet v0.9.0, its labels.
_LEADER = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}


def deploy_gateway_operators(cluster: "Cluster", kserve: Mapping[str, pulumi.Resource]) -> list[pulumi.Resource]:
    """Envoy Gateway and Envoy AI Gateway where a gateway is wanted and the cluster has them not.

    In the embedded environment no chart is installed; the namespace is there all the same.

    Args:
        kserve: KServe and what it stands on; its chart brings the CRDs of InferencePool with LLMInferenceServices.
    """
    settings = cluster.settings
    llm = serves_llm_inference_services(settings)
    there = settings.target == "existing" and OPERATOR in settings.cluster.installed
    if settings.gateway is None or there:
        return []
    from components.serving.gateway.controllers import GatewayOperators, GatewayOperatorsArgs

    args: GatewayOperatorsArgs = {"namespace": GATEWAY_NAMESPACE}
    if settings.cluster.deletion_protection:
        args["protect"] = True
    if settings.gateway.rate_limit_store:
        args["rate_limit_store"] = settings.gateway.rate_limit_store
    if settings.installs(OPERATOR):
        args["charts"] = {
            "envoy_gateway": ENVOY_GATEWAY_CHART,
            "envoy_gateway_crds": ENVOY_GATEWAY_CRD_CHART,
            "envoy_gateway_version": f"v{ENVOY_GATEWAY}",
            "ai_gateway": AI_GATEWAY_CHART,
            "ai_gateway_crds": AI_GATEWAY_CRD_CHART,
            "ai_gateway_version": f"v{AI_GATEWAY}",
        }
        if not llm:
            args["charts"]["inference_manifest"] = INFERENCE_EXTENSION_MANIFEST
    needs = [item for name, item in kserve.items() if llm and name == "kserve"]
    return [GatewayOperators("gateway", args, cluster.options(needs))]


def deploy_gateway(
    cluster: "Cluster",
    namespaces: Mapping[str, pulumi.Resource],
    servers: Mapping[str, pulumi.Resource],
    secrets: Mapping[str, pulumi.Output[str]],
    platform: "PlatformLayer",
) -> list[pulumi.Resource]:
    """The gateway with its routes, and an endpoint picker for each model that is reached through one.

    Args:
        namespaces: those of the models, by name; pickers are in them.
        servers: models by name; a route comes after the servers it leads to and goes before them.
        secrets: of the stack, by name; the clients' keys may be among them.
        platform: what the same stack made of the layer below: controllers that see these objects, and go after them.
    """
    settings = cluster.settings
    gateway = settings.gateway
    if gateway is None:
        return []
    from components.serving.gateway.endpoint_picker import EndpointPicker
    from components.serving.gateway.gateway import InferenceGateway

    models = {model.name: model for model in settings.models}
    needs = _controllers(gateway, platform)
    nodes = [platform.cpu_pool] if platform.cpu_pool else []
    pickers: list[pulumi.Resource] = [
        EndpointPicker(
            f"{name}-picker",
            picker_args(models[name], settings, gateway),
            pulumi.ResourceOptions(
                provider=cluster.kubernetes, depends_on=[namespaces[models[name].namespace], *nodes, *needs]
            ),
        )
        for name in picked_models(gateway.routes, models)
    ]
    behind = [servers[name] for name in dict.fromkeys(name for route in gateway.routes for name in models_of(route))]
    options = pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=[*needs, *pickers, *behind])
    args = gateway_args(settings, gateway)
    if "authentication" in args and wants_keys(settings):
        args["authentication"]["api_keys"] = secrets[GATEWAY_KEYS]
    return [*pickers, InferenceGateway(GATEWAY_NAME, args, options)]


def _controllers(gateway: GatewaySettings, platform: "PlatformLayer") -> list[pulumi.Resource]:
    """What sees the gateway's objects: its own controllers, and those of load balancers, certificates and secrets."""
    needs = [item for name, item in platform.controllers.items() if name == "aws-load-balancer-controller"]
    if gateway.tls and gateway.tls.issuer:
        needs += [item for name, item in platform.kserve.items() if name == "cert-manager"]
    if gateway.authentication and gateway.authentication.api_keys and gateway.authentication.api_keys.external:
        needs += platform.secrets
    return [*platform.gateway, *needs]


def picker_args(model: ModelSettings, settings: PlatformSettings, gateway: GatewaySettings) -> "EndpointPickerArgs":
    """The picker's arguments for one model of the settings."""
    picker, facts = gateway.endpoint_picker, engine(model.engine)
    return {
        "namespace": model.namespace,
        "model": model.name,
        "selector": selector_of(model),
        "port": port_of(model),
        "engine": facts.name,
        "metrics_path": facts.metrics_path,
        "image": ENDPOINT_PICKER_IMAGE,
        "replicas": picker.replicas,
        "queue_depth_threshold": picker.queue_depth_threshold,
        "kv_cache_threshold": picker.kv_cache_threshold,
        "cpu": picker.cpu,
        "memory_gib": picker.memory_gib,
        "on_cpu_pool": settings.cpu_pool is not None,
    }


def gateway_args(settings: PlatformSettings, gateway: GatewaySettings) -> "InferenceGatewayArgs":
    """The component's arguments for the gateway of the settings."""
    models = {model.name: model for model in settings.models}
    routes = [_route(route, gateway, models) for route in expanded(gateway.routes)]
    longest = Patience(0, max(route["request_seconds"] for route in routes))
    args: InferenceGatewayArgs = {
        "namespace": GATEWAY_NAMESPACE,
        "scheme": gateway.scheme,
        "source_ranges": list(gateway.source_ranges),
        "host_names": list(gateway.host_names),
        "paths": list(gateway.paths),
        "replicas": gateway.replicas,
        "shared_store": gateway.rate_limit_store is not None,
        "routes": routes,
        "route_namespaces": sorted({route["namespace"] for route in routes}),
        "servers": _servers(routes, models),
        "longest_request_seconds": longest.request_seconds,
        "idle_seconds": longest.load_balancer_idle_seconds,
    }
    if gateway.tls:
        args["tls"] = _tls(gateway.tls)
    if gateway.authentication:
        args["authentication"] = _authentication(gateway.authentication)
    return args


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


def _route(route: RouteSettings, gateway: GatewaySettings, models: Mapping[str, ModelSettings]) -> "GatewayRouteArgs":
    first = models[route.backends[0].model]
    picked = picks(route, first)
    classes = {item.name: item.clients for item in gateway.classes}
    backends = [_backend(models[item.model], item.weight, 0) for item in route.backends]
    if route.overflow:
        backends.append(_backend(models[route.overflow], 100, 1))
    args: GatewayRouteArgs = {
        "name": route.name,
        "namespace": route_namespace(route, models),
        "headers": dict(route.match.headers),
        "backends": backends,
        "request_seconds": patience_of(route, models).request_seconds,
        "limits": [],
    }
    for limit in route.limits:
        found: RouteLimitArgs = {}
        if limit.client_class:
            found["clients"] = list(classes[limit.client_class])
        if limit.requests_per_minute:
            found["requests_per_minute"] = limit.requests_per_minute
        if limit.tokens_per_minute:
            found["tokens_per_minute"] = limit.tokens_per_minute
        args["limits"].append(found)
    if route.match.model:
        args["model"] = route.match.model
    if route.match.path:
        args["path"] = route.match.path
    if route.concurrent:
        args["concurrent"] = route.concurrent
    if picked:
        args["pool"] = f"{first.name}-inference-pool" if has_own_scheduler(first) else first.name
    return args


def route_namespace(route: RouteSettings, models: Mapping[str, ModelSettings]) -> str:
    """Where a route is: an AIGatewayRoute finds InferencePools in its own namespace only (ai-gateway 1.0.0,
    ai_gateway_route.go). A canary changes nothing of it: the route stays the same object with and without one."""
    first = models[route.backends[0].model]
    at_model = route.match.path or picks(without_canaries(route, models), first)
    return first.namespace if at_model else GATEWAY_NAMESPACE


def _backend(model: ModelSettings, weight: int, priority: int) -> "RouteBackendArgs":
    """A model as Envoy finds it: its pods by a headless Service, or Knative's Service, which starts pods."""
    service, port = service_of(model)
    host, host_port = f"{model.name}-endpoints", port_of(model)
    if has_own_scheduler(model) or scales_by_requests(model):
        host, host_port = service, port
    return {
        "model": model.name,
        "host": f"{host}.{model.namespace}.svc.cluster.local",
        "port": host_port,
        "service": service,
        "service_port": port,
        "weight": weight,
        "priority": priority,
    }


def _servers(routes: Sequence["GatewayRouteArgs"], models: Mapping[str, ModelSettings]) -> "list[ServersArgs]":
    """Models that Envoy balances over by itself, and whose Service this program makes."""
    balanced = [route for route in routes if "pool" not in route and "path" not in route]
    names = dict.fromkeys(backend["model"] for route in balanced for backend in route["backends"])
    ours = [models[name] for name in names if not (has_own_scheduler(models[name]) or scales_by_requests(models[name]))]
    return [
        {"model": model.name, "namespace": model.namespace, "selector": selector_of(model), "port": port_of(model)}
        for model in ours
    ]


def _tls(tls: TlsSettings) -> "GatewayTlsArgs":
    if tls.issuer:
        return {"issuer": {"name": tls.issuer.name, "kind": tls.issuer.kind}}
    return {"secret": tls.secret} if tls.secret else {"certificate_arn": tls.certificate_arn or ""}


def _authentication(who: AuthenticationSettings) -> "AuthenticationArgs":
    args: AuthenticationArgs = {}
    if who.api_keys:
        args["api_key_secret"] = who.api_keys.secret
        if who.api_keys.external:
            external = who.api_keys.external
            args["external_keys"] = {
                "store": external.store,
                "store_kind": external.store_kind,
                "remote_key": external.remote_key,
            }
    if who.jwt:
        args["jwt"] = {
            "issuer": who.jwt.issuer,
            "audiences": list(who.jwt.audiences),
            "jwks_uri": who.jwt.jwks_uri,
            "client_claim": who.jwt.client_claim,
        }
    return args
