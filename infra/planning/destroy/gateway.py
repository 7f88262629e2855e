"""What must outlive what behind the gateway: routes go first, and while it listens it asks for keys."""

from collections.abc import Iterator
from typing import Any

from infra.plan import PlannedResource
from infra.planning.destroy.requirement import Found, Requirement, metadata, ordered

_ROUTES = ("AIGatewayRoute", "HTTPRoute")
_GROUPS = (
    "gateway.networking.k8s.io",
    "gateway.envoyproxy.io",
    "aigateway.envoyproxy.io",
    "inference.networking.k8s.io",
)


def rules(found: Found) -> Iterator[Requirement]:
    """Every requirement of gateways and their routes."""
    yield from _controllers(found)
    yield from _gateways(found)
    yield from _routes(found)
    yield from _exposures(found)
    yield from _pickers(found)


def _controllers(found: Found) -> Iterator[Requirement]:
    envoy, extension = found.releases("gateway-helm"), found.releases("ai-gateway-helm")
    yield from ordered(envoy, extension, "it asks the AI gateway for the configuration of every proxy")
    kinds = [*found.of("kubernetes:helm.sh/v4:Chart"), *found.of("kubernetes:yaml/v2:ConfigFile")]
    kinds += found.releases("ai-gateway-crds-helm")
    yield from ordered([*envoy, *extension], kinds, "a controller fails without its kinds")
    yield from ordered(found.objects("InferencePool"), envoy, "it watches pools as backends of routes")
    ours = [item for item in found.objects() if str(item.inputs.get("apiVersion", "")).startswith(_GROUPS)]
    yield from ordered(ours, kinds, "deleting a CRD deletes what is of it")


def _gateways(found: Found) -> Iterator[Requirement]:
    gateways = found.objects("Gateway")
    yield from ordered(
        gateways,
        found.releases("aws-load-balancer-controller"),
        "its load balancer is let go of while somebody can",
    )
    beside = found.objects("GatewayClass", "EnvoyProxy", "ClientTrafficPolicy", "SecurityPolicy", "Certificate")
    yield from ordered(gateways, beside, "while it listens it asks for keys, over TLS")
    for policy in found.objects("SecurityPolicy"):
        keys = [item for item in found.objects("ExternalSecret", "Secret") if metadata(item, "name") in _names(policy)]
        yield from ordered([policy], keys, "the keys are there while they are asked for")


def _routes(found: Found) -> Iterator[Requirement]:
    for route in found.objects(*_ROUTES):
        yield from ordered([route], found.objects("Gateway"), "its controller takes it out of a gateway that is there")
        place, names = metadata(route, "namespace"), _names(route)
        used = [
            item
            for item in found.objects("HTTPRouteFilter", "AIServiceBackend", "InferencePool")
            if metadata(item, "namespace") == place and metadata(item, "name") in names
        ]
        used += [
            item
            for item in found.objects("BackendTrafficPolicy")
            if (metadata(item, "namespace"), metadata(item, "name")) == (place, metadata(route, "name"))
        ]
        yield from ordered([route], used, "requests pass with its limits, to servers that are there")
        yield from ordered([route], _behind(found, names), "nobody is sent to a server that ends")
    hosts = found.objects("Backend")
    for backend in found.objects("AIServiceBackend"):
        own = [item for item in hosts if metadata(item, "name") in _names(backend)]
        yield from ordered([backend], own, "it leads to its Backend")
    for host in hosts:
        named = {".".join(text.split(".")[:2]) for text in _names(host)}
        services = [
            item
            for item in found.objects("Service")
            if f"{metadata(item, 'name')}.{metadata(item, 'namespace')}" in named
        ]
        yield from ordered([host], services, "its host name resolves while it is used")


def _exposures(found: Found) -> Iterator[Requirement]:
    """Load balancers of single models."""
    balanced = [item for item in found.objects("Service") if "LoadBalancer" in _names(item)]
    for way in (*found.objects("Ingress"), *balanced):
        yield from ordered([way], _behind(found, _names(way)), "nobody is sent to a server that ends")
        policies = [
            item
            for item in found.objects("NetworkPolicy")
            if (metadata(item, "namespace"), metadata(item, "name"))
            == (metadata(way, "namespace"), metadata(way, "name"))
        ]
        yield from ordered([way], policies, "what it sends is let in while it sends")


def _behind(found: Found, names: set[str]) -> list[PlannedResource]:
    """Servers of these names, what leads to them, and what keeps a drain from the last of them."""
    servers = [item for item in _servers(found) if metadata(item, "name") in names]
    places = {(metadata(item, "namespace"), metadata(item, "name")) for item in servers}
    beside = [
        item
        for item in found.objects("Service", "PodDisruptionBudget")
        if (metadata(item, "namespace"), metadata(item, "name")) in places
    ]
    return [*servers, *beside]


def _pickers(found: Found) -> Iterator[Requirement]:
    for picker in found.objects("Deployment"):
        if _labels(picker).get("app.kubernetes.io/component") != "endpoint-picker":
            continue
        place, name = metadata(picker, "namespace"), metadata(picker, "name")
        rights = [
            item
            for item in found.objects("RoleBinding", "Role")
            if metadata(item, "namespace") == place and metadata(item, "name") == name
        ]
        yield from ordered([picker], rights, "it reads with these rights to the end")
        pools = [item for item in found.objects("InferencePool") if metadata(item, "namespace") == place]
        own = [item for item in pools if name in _names(item)]
        yield from ordered([picker], own, "it fails without the pool that it picks from")
        routes = [item for item in found.objects(*_ROUTES) if metadata(item, "namespace") == place]
        mine = [item for item in routes if _names(item) & {metadata(pool, "name") for pool in own}]
        beside = [
            item
            for item in found.objects("Service", "PodDisruptionBudget")
            if (metadata(item, "namespace"), metadata(item, "name")) == (place, name)
        ]
        yield from ordered(mine, [picker, *beside], "the gateway refuses requests while nobody picks")


def _servers(found: Found) -> list[PlannedResource]:
    """What answers requests: pods that take GPUs."""
    return [
        item
        for item in found.objects("Deployment", "LeaderWorkerSet", "InferenceService", "LLMInferenceService")
        if _labels(item).get("app.kubernetes.io/component") == "model-server"
    ]


def _labels(item: PlannedResource) -> dict[str, Any]:
    given: Any = item.inputs.get("metadata")
    return (given.get("labels") or {}) if isinstance(given, dict) else {}


def _names(item: PlannedResource) -> set[str]:
    """Every text in the object's specification: a reference is the name of what it refers to."""
    return set(_texts(item.inputs.get("spec")))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)
