"""The shape of routes: plain values in, specs of AIGatewayRoute, HTTPRoute and their policies out.

A route by model or header is an AIGatewayRoute, which reads the model's name from the body; one by path is a plain
HTTPRoute with exact paths. Sources: ai-gateway 1.0.0 api/v1beta1, gateway 1.8.1 api/v1alpha1, Gateway API 1.5.1.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.specs import Spec
from infra.planning.routes import (
    CLIENT_HEADER,
    GATEWAY_PATHS,
    HOP_MARGIN_SECONDS,
    MODEL_HEADER,
    REFUSED_ROUTE,
    backend_name,
    client_pattern,
)

if TYPE_CHECKING:
    from components.serving.gateway.args import GatewayRouteArgs, RouteBackendArgs, RouteLimitArgs

# Where the AI gateway puts what a request cost, and our name for the sum.
_COSTS, _TOKENS = "io.envoy.ai_gateway", "llm_total_token"
# What a server answers before it has begun: too many requests, or a full queue. Trying another one repeats nothing.
_REFUSALS = (429, 503)
# How soon Envoy notices that a server has left: names of pods are asked for again. Well below preStop (15 s).
DNS_REFRESH_SECONDS = 5
# Connections to the backends of a route that Envoy Gateway allows by itself (BackendTrafficPolicy, circuitBreaker).
_CONNECTIONS = 1024


def endpoints_name(model: str) -> str:
    """Name of the headless Service whose name resolves to every ready server."""
    return f"{model}-endpoints"


def endpoints_spec(selector: dict[str, str], port: int) -> Spec:
    """`Service.spec` of it: no address of its own, so Envoy sees each server and balances by itself."""
    return {
        "type": "ClusterIP",
        "clusterIP": "None",
        "selector": dict(selector),
        "ports": [{"name": "http", "port": port, "targetPort": port, "appProtocol": "http"}],
    }


def backend_spec(backend: "RouteBackendArgs") -> Spec:
    """`Backend.spec`: the servers of a model by host name."""
    return {"type": "Endpoints", "endpoints": [{"fqdn": {"hostname": backend["host"], "port": backend["port"]}}]}


def ai_backend_spec(route: str, backend: "RouteBackendArgs", hidden: str = "") -> Spec:
    """`AIServiceBackend.spec`: it speaks the API of OpenAI.

    Args:
        hidden: a header that servers do not see. The gateway has taken it away, but overflow, a second try for Envoy,
            would bring it back: the AI gateway restores the headers that it saw (1.0.0, headermutator).
    """
    name = backend_name(route, backend["model"])
    reference = {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": name}
    spec: Spec = {"schema": {"name": "OpenAI"}, "backendRef": reference}
    return {**spec, "headerMutation": {"remove": [hidden]}} if hidden else spec


def ai_route_spec(route: "GatewayRouteArgs", parent: Spec, host_names: list[str]) -> Spec:
    """`AIGatewayRoute.spec` of a route by model or header."""
    headers = [{"type": "Exact", "name": name, "value": value} for name, value in sorted(route["headers"].items())]
    if route.get("model"):
        headers.insert(0, {"type": "Exact", "name": MODEL_HEADER, "value": route["model"]})
    if "pool" in route:
        references: list[Spec] = [{**_POOL, "name": route["pool"]}]
    else:
        references = [
            {
                "name": backend_name(route["name"], backend["model"]),
                "modelNameOverride": backend.get("asked_as", backend["model"]),
                "weight": backend["weight"],
                "priority": backend["priority"],
            }
            for backend in route["backends"]
        ]
    spec: Spec = {
        "parentRefs": [parent],
        "rules": [
            {
                "matches": [{"headers": headers}],
                "backendRefs": references,
                "timeouts": {"request": f"{route['request_seconds']}s"},
                "modelsOwnedBy": "gpu-platform",
            }
        ],
        "llmRequestCosts": [{"metadataKey": _TOKENS, "type": "TotalToken"}],
    }
    return {**spec, "hostnames": host_names} if host_names else spec


def path_route_spec(route: "GatewayRouteArgs", parent: Spec, host_names: list[str], paths: list[str]) -> Spec:
    """`HTTPRoute.spec` of a route by path: one exact rule for each path that passes."""
    headers = [{"type": "Exact", "name": name, "value": value} for name, value in sorted(route["headers"].items())]
    (backend,) = route["backends"]
    if "pool" in route:
        reference: Spec = {**_POOL, "name": route["pool"]}
    else:
        reference = {"kind": "Service", "name": backend["service"], "port": backend["service_port"]}
    spec: Spec = {
        "parentRefs": [parent],
        "rules": [
            {
                "matches": [
                    {
                        "path": {"type": "Exact", "value": f"{route['path']}{path}"},
                        **({"headers": headers} if headers else {}),
                    }
                ],
                "filters": [
                    {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": path}}}
                ],
                "backendRefs": [reference],
                "timeouts": {"request": f"{route['request_seconds']}s"},
            }
            for path in paths
        ],
    }
    return {**spec, "hostnames": host_names} if host_names else spec


def refused_paths_spec(parent: Spec, host_names: list[str], paths: list[str]) -> Spec | None:
    """`HTTPRoute.spec` that answers 404 for paths which the AI gateway knows and the settings do not list.

    An exact path wins over the prefix of an AIGatewayRoute, whatever headers that has (Gateway API, precedence).
    """
    refused = [path for path in GATEWAY_PATHS if path not in paths]
    reference = {"group": "gateway.envoyproxy.io", "kind": "HTTPRouteFilter", "name": REFUSED_ROUTE}
    if not refused:
        return None
    spec: Spec = {
        "parentRefs": [parent],
        "rules": [
            {
                "matches": [{"path": {"type": "Exact", "value": path}} for path in refused],
                "filters": [{"type": "ExtensionRef", "extensionRef": reference}],
            }
        ],
    }
    return {**spec, "hostnames": host_names} if host_names else spec


def refused_filter_spec() -> Spec:
    """`HTTPRouteFilter.spec`: the answer to those."""
    body = {"type": "Inline", "inline": '{"error": {"message": "this path is not served here", "code": 404}}'}
    return {"directResponse": {"statusCode": 404, "contentType": "application/json", "body": body}}


def traffic_policy_spec(route: "GatewayRouteArgs", counters: int, *, shared_store: bool) -> Spec:
    """`BackendTrafficPolicy.spec`: how long, how many, and never the same generation twice.

    Args:
        counters: how many count the route's requests where there is no shared store.
    """
    seconds = route["request_seconds"]
    policy: Spec = {
        "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route["name"]}],
        "timeout": {"http": {"requestTimeout": f"{seconds}s", "streamIdleTimeout": f"{seconds + HOP_MARGIN_SECONDS}s"}},
        "retry": _retries(route),
        "connection": {"bufferLimit": "50Mi"},
    }
    if "pool" not in route:
        policy["loadBalancer"] = {"type": "LeastRequest"}
        policy["dns"] = {"dnsRefreshRate": f"{DNS_REFRESH_SECONDS}s", "respectDnsTtl": False}
    if route.get("concurrent"):
        policy["circuitBreaker"] = _breaker(route["concurrent"])
    limits = _rate_limit(route["limits"], counters, shared_store=shared_store)
    return {**policy, "rateLimit": limits} if limits else policy


def _breaker(concurrent: int) -> Spec:
    """What is over the limit is refused at once: it would only wait here instead of in the engine's own queue.

    A request that needs a new connection waits for it as a pending one, so as many may be pending as may run: with 0
    every first request of a connection is refused (envoyproxy/envoy issue 20817; measured with Envoy 1.40). HTTP/1.1
    takes a connection a request, and idle ones to servers that rest count too.
    """
    connections = max(_CONNECTIONS, 2 * concurrent)
    return {"maxParallelRequests": concurrent, "maxPendingRequests": concurrent, "maxConnections": connections}


def _retries(route: "GatewayRouteArgs") -> Spec:
    if all(backend["priority"] == 0 for backend in route["backends"]):
        return {"numRetries": 0}
    # Once, and only what was refused before it began: then the smaller model gets it.
    return {
        "numRetries": 1,
        "numAttemptsPerPriority": 1,
        "retryOn": {"triggers": ["connect-failure", "retriable-status-codes"], "httpStatusCodes": list(_REFUSALS)},
    }


def _rate_limit(limits: list["RouteLimitArgs"], counters: int, *, shared_store: bool) -> Spec | None:
    rules = [rule for limit in limits for rule in _rules(limit, limits, counters, shared_store=shared_store)]
    if not rules:
        return None
    return {"global" if shared_store else "local": {"rules": rules}}


def _rules(
    limit: "RouteLimitArgs", limits: list["RouteLimitArgs"], counters: int, *, shared_store: bool
) -> Iterator[Spec]:
    """One limit as Envoy Gateway counts it: in one counter, or in parts by many."""
    selectors = _selectors(limit, limits, shared_store=shared_store)
    # Without `shared` each rule and host name of the route would grant the whole number for itself (ratelimit.go).
    common: Spec = {**selectors, **({"shared": True} if shared_store else {})}
    if limit.get("requests_per_minute"):
        granted = limit["requests_per_minute"] // (1 if shared_store else counters)
        yield {**common, "limit": {"requests": granted, "unit": "Minute"}}
    if limit.get("tokens_per_minute"):
        # The answer's tokens are known when it is over: they count against the requests that come after it.
        tokens = {"from": "Metadata", "metadata": {"namespace": _COSTS, "key": _TOKENS}}
        cost = {"request": {"from": "Number", "number": 0}, "response": tokens}
        yield {**common, "limit": {"requests": limit["tokens_per_minute"], "unit": "Minute"}, "cost": cost}


def _selectors(limit: "RouteLimitArgs", limits: list["RouteLimitArgs"], *, shared_store: bool) -> Spec:
    """Whose requests count: those of the limit's clients, or of all that the route's other limits do not name.

    A local rule without selectors counts what no other rule counts; a global one would count everybody (Envoy Gateway
    1.8.2, backendtrafficpolicy.go), so it says whom it leaves out. Headers of one selector must all hold.
    """
    if "clients" in limit:
        return {"clientSelectors": [{"headers": [_header(limit["clients"])]}]}
    others = [{**_header(other["clients"]), "invert": True} for other in limits if "clients" in other]
    return {"clientSelectors": [{"headers": others}]} if others and shared_store else {}


def _header(clients: list[str]) -> Spec:
    """Envoy compares the whole name of the client with the expression."""
    return {"type": "RegularExpression", "name": CLIENT_HEADER, "value": client_pattern(clients)}


_POOL = {"group": "inference.networking.k8s.io", "kind": "InferencePool"}
