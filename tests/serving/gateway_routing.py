"""The gateway on paper: what becomes of a request, told from the manifests alone.

Matching is that of the Gateway API (HTTPRouteRule: an exact path, then the longest prefix, then the most headers). What
Envoy AI Gateway 1.0 adds is told from its source: an AIGatewayRoute becomes an HTTPRoute on the prefix "/" with a last
rule that takes every path (internal/controller/ai_gateway_route.go); on those routes it answers 404 to paths that it
does not know, and else writes the body's model into a header and has the route chosen again (internal/extproc).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.plan import Manifest
from infra.planning.routes import GATEWAY_PATHS, MODEL_HEADER


@dataclass(frozen=True)
class Request:
    """What a client sends."""

    path: str
    model: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    host: str = "models.internal.example.com"


@dataclass(frozen=True)
class Answer:
    """Where it goes: shares in percent by model, at priority 0 and 1; none with a status of the gateway's own.

    Attributes:
        path: as the server sees it.
        names: the model's name that each server is asked for; empty: as the client wrote it.
    """

    status: int = 200
    shares: tuple[tuple[str, int], ...] = ()
    overflow: tuple[str, ...] = ()
    path: str = ""
    names: tuple[str, ...] = ()
    picked: bool = False
    route: str = ""


@dataclass(frozen=True)
class _Rule:
    exact: bool
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    route: Manifest
    by_model: bool

    def takes(self, request: Request) -> bool:
        path = request.path == self.path if self.exact else request.path.startswith(self.path)
        return path and self.headers.items() <= request.headers.items()

    @property
    def rank(self) -> tuple[bool, int, int]:
        return (self.exact, len(self.path), len(self.headers))


def answer(request: Request, manifests: Sequence[Manifest]) -> Answer:
    """What becomes of `request`."""
    removed, prefixes = _removed(manifests)
    kept = {
        name: value for name, value in request.headers.items() if name not in removed and not name.startswith(prefixes)
    }
    request = Request(request.path, request.model, kept, request.host)
    rule = _chosen(request, manifests)
    if rule is not None and rule.by_model:
        if request.path not in GATEWAY_PATHS:
            return Answer(404)
        request = Request(request.path, request.model, {**kept, MODEL_HEADER: request.model}, request.host)
        rule = _chosen(request, manifests)
    if rule is None or not rule.body.get("backendRefs"):
        return Answer(404)
    return _led(rule, request, manifests)


def _chosen(request: Request, manifests: Sequence[Manifest]) -> _Rule | None:
    found = [rule for rule in _rules(manifests, request.host) if rule.takes(request)]
    best = max(found, key=lambda rule: rule.rank, default=None)
    # Of equal ones the oldest would win, which no manifest says. The last rules of AIGatewayRoutes say all the same.
    equal = {rule.route.name for rule in found if best and rule.rank == best.rank and rule.body}
    assert len(equal) <= 1, equal
    return best


def _rules(manifests: Iterable[Manifest], host: str) -> Iterator[_Rule]:
    for route in manifests:
        hosts = route.body.get("spec", {}).get("hostnames", [])
        if route.kind not in ("AIGatewayRoute", "HTTPRoute") or (hosts and host not in hosts):
            continue
        by_model = route.kind == "AIGatewayRoute"
        for body in route.body["spec"]["rules"]:
            for match in body["matches"]:
                path = match.get("path", {"type": "PathPrefix", "value": "/"})
                headers = {item["name"]: item["value"] for item in match.get("headers", [])}
                yield _Rule(path["type"] == "Exact", path["value"], headers, body, route, by_model)
        if by_model:
            yield _Rule(False, "/", {}, {}, route, by_model)


def _led(rule: _Rule, request: Request, manifests: Sequence[Manifest]) -> Answer:
    references = rule.body["backendRefs"]
    path = request.path
    for item in rule.body.get("filters", []):
        path = item.get("urlRewrite", {}).get("path", {}).get("replaceFullPath", path)
    if references[0].get("kind") == "InferencePool":
        (pool,) = [item for item in manifests if item.kind == "InferencePool" and item.name == references[0]["name"]]
        assert pool.namespace == rule.route.namespace  # the AI gateway looks nowhere else
        model = pool.body["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        return Answer(200, ((model, 100),), path=path, picked=True, route=rule.route.name)
    if references[0].get("kind") == "Service":
        return Answer(200, ((references[0]["name"], 100),), path=path, route=rule.route.name)
    first = [item for item in references if item["priority"] == 0]
    return Answer(
        200,
        tuple((_model(item["name"], rule.route, manifests), item["weight"]) for item in first),
        tuple(_model(item["name"], rule.route, manifests) for item in references if item["priority"] == 1),
        path,
        tuple(item["modelNameOverride"] for item in references),
        route=rule.route.name,
    )


def _model(name: str, route: Manifest, manifests: Sequence[Manifest]) -> str:
    """The model behind an AIServiceBackend: along its Backend, the host name and the Service's selector."""
    known = {(item.kind, item.namespace, item.name): item.body for item in manifests}
    backend = known["AIServiceBackend", route.namespace, name]["spec"]["backendRef"]["name"]
    (endpoint,) = known["Backend", route.namespace, backend]["spec"]["endpoints"]
    service, namespace, *rest = endpoint["fqdn"]["hostname"].split(".")
    assert rest == ["svc", "cluster", "local"]
    found = known["Service", namespace, service]["spec"]
    assert found["ports"][0]["port"] == endpoint["fqdn"]["port"]
    return str(found["selector"]["app.kubernetes.io/name"])


def _removed(manifests: Iterable[Manifest]) -> tuple[set[str], tuple[str, ...]]:
    """Headers that are taken from every request first: names, and beginnings of names."""
    (policy,) = [item for item in manifests if item.kind == "ClientTrafficPolicy"]
    early = policy.body["spec"]["headers"]["earlyRequestHeaders"]
    assert {item["type"] for item in early["removeOnMatch"]} == {"Prefix"}
    return set(early["remove"]), tuple(item["value"] for item in early["removeOnMatch"])
