"""From the gateway's settings to the arguments of its components."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from infra.catalog.engines import engine
from infra.conventions import GATEWAY_NAMESPACE
from infra.planning.routes import Patience
from infra.settings import ModelSettings, PlatformSettings
from infra.settings.canary import without_canaries
from infra.settings.gateway import GatewaySettings, RouteSettings, TlsSettings
from infra.settings.gateway_access import AuthenticationSettings
from infra.settings.gateway_routes import (
    expanded,
    has_own_scheduler,
    patience_of,
    picks,
    scales_by_requests,
    served_names,
)
from infra.versions import ENDPOINT_PICKER_IMAGE
from stacks.server_address import port_of, selector_of, service_of

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


def route_namespace(route: RouteSettings, models: Mapping[str, ModelSettings]) -> str:
    """Where a route is: an AIGatewayRoute finds InferencePools in its own namespace only (ai-gateway 1.0.0,
    ai_gateway_route.go). A canary changes nothing of it: the route stays the same object with and without one."""
    first = models[route.backends[0].model]
    at_model = route.match.path or picks(without_canaries(route, models), first)
    return first.namespace if at_model else GATEWAY_NAMESPACE


def _route(route: RouteSettings, gateway: GatewaySettings, models: Mapping[str, ModelSettings]) -> "GatewayRouteArgs":
    first = models[route.backends[0].model]
    picked = picks(route, first)
    classes = {item.name: item.clients for item in gateway.classes}
    asked_for = route.match.model
    backends = [_backend(models[item.model], item.weight, 0, asked_for) for item in route.backends]
    if route.overflow:
        backends.append(_backend(models[route.overflow], 100, 1, asked_for))
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


def _backend(model: ModelSettings, weight: int, priority: int, asked_for: str | None) -> "RouteBackendArgs":
    """A model as Envoy finds it: its pods by a headless Service, or Knative's Service, which starts pods.

    Args:
        asked_for: the model's name in the match; where it is an adapter's that the servers have, they are asked for it.
    """
    service, port = service_of(model)
    host, host_port = f"{model.name}-endpoints", port_of(model)
    if has_own_scheduler(model) or scales_by_requests(model):
        host, host_port = service, port
    return {
        "model": model.name,
        "asked_as": asked_for if asked_for and asked_for in served_names(model) else model.name,
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
