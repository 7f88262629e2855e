"""What must outlive what behind the gateway: routes go first, and while it listens it asks for keys."""

from collections.abc import Iterator
from typing import Any

from infra.plan import PlannedResource
from infra.planning.destroy.requirement import Found, Requirement, metadata, ordered
from infra.planning.destroy.servers import SERVERS, name_of

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
    ours = [item for item in found.objects() if str(item.inputs.get("apiVersion", "")).startswith(_GROUPS)]
    yield from ordered(ours, kinds, "deleting a CRD deletes what is of it")
    yield from ordered(found.objects("InferencePool"), envoy, "Envoy Gateway watches it for the AI gateway")


def _gateways(found: Found) -> Iterator[Requirement]:
    gateways = found.objects("Gateway")
    yield from ordered(
        gateways,
        found.releases("aws-load-balancer-controller"),
        "its load balancer is let go of while somebody can",
    )
    policies = ("ClientTrafficPolicy", "EnvoyExtensionPolicy", "SecurityPolicy")
    beside = found.objects("GatewayClass", "EnvoyProxy", *policies, "Certificate")
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
        yield from _led_to(found, route, names)
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
        yield from _led_to(found, way, _names(way))
        policies = [
            item
            for item in found.objects("NetworkPolicy")
            if (metadata(item, "namespace"), metadata(item, "name"))
            == (metadata(way, "namespace"), metadata(way, "name"))
        ]
        yield from ordered([way], policies, "what it sends is let in while it sends")


def _led_to(found: Found, way: PlannedResource, names: set[str]) -> Iterator[Requirement]:
    """What leads to servers of these names goes before them, and before what finds them and keeps one of them up."""
    behind = [item for item in _servers(found) if name_of(item) in names]
    yield from ordered([way], behind, "nobody is sent to a server that ends")
    yield from ordered(
        [way], _beside(found, behind), "its servers are found, and not all evicted, while it leads to them"
    )


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
        yield from ordered(mine, [picker], "the gateway refuses requests while nobody picks")
        yield from ordered(mine, _beside(found, [picker]), "the gateway refuses requests while no picker is found")


def _beside(found: Found, servers: list[PlannedResource]) -> list[PlannedResource]:
    """Services of these servers, and the budgets that keep one of them up."""
    parents = {item.parent for item in servers}
    return [item for item in found.objects("Service", "PodDisruptionBudget") if item.parent in parents]


def _servers(found: Found) -> list[PlannedResource]:
    """What answers requests: pods that take GPUs."""
    return [
        item for item in found.objects(*SERVERS) if _labels(item).get("app.kubernetes.io/component") == "model-server"
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
