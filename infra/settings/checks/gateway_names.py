"""Routes apart: which of two would win, and which of two objects of one name would stay, is not ours to say."""

import itertools
from collections.abc import Iterator

from infra.conventions import GATEWAY_NAME, GATEWAY_NAMESPACE
from infra.errors import Problem
from infra.planning.routes import KSERVE_ROUTE_SUFFIX, REFUSED_ROUTE, backend_name, listener_name
from infra.settings.checks.draft import Draft
from infra.settings.gateway import RouteMatch, RouteSettings
from infra.settings.gateway_routes import expanded, models_of


def names_apart(draft: Draft) -> Iterator[Problem]:
    """No two objects of the gateway get one name, those of long prompts and of backends among them."""
    ways = _ways(draft)
    seen: dict[str, str] = {}
    for place, way in ways:
        named = f'"{way.name}"' + (", the way of long prompts" if place.endswith("longContext") else "")
        where = place.removesuffix(".longContext") + ".name"
        if way.name == REFUSED_ROUTE or way.name.endswith(KSERVE_ROUTE_SUFFIX):
            accepted = (
                f"a name that the gateway and KServe do not use: not {REFUSED_ROUTE}, and no *{KSERVE_ROUTE_SUFFIX}"
            )
            yield Problem(where, named, accepted, "rename it")
        first = seen.setdefault(way.name, place)
        if first != place:
            yield Problem(where, f"{named}, the name of {first}", "a name of its own", "rename one")
    yield from _backends_apart(ways)


def _backends_apart(ways: list[tuple[str, RouteSettings]]) -> Iterator[Problem]:
    seen: dict[str, tuple[str, str]] = {}
    for place, way in ways:
        for model in models_of(way) if way.match.path is None else ():
            backend = backend_name(way.name, model)
            first, route = seen.setdefault(backend, (place, way.name))
            if route != way.name:
                yield Problem(
                    f"{place.removesuffix('.longContext')}.name",
                    f'"{way.name}", whose backend {backend} has the name of one of {first}',
                    "names of route and model that do not run together as those of another route do",
                    "rename the route",
                )


def matches_apart(draft: Draft) -> Iterator[Problem]:
    """No request matches two routes with equally many conditions.

    Envoy Gateway sorts routes by the number of conditions alone (1.8.2, internal/gatewayapi/sort.go), then by age, then
    by namespace and name: another order after each new creation.
    """
    ways = _ways(draft)
    for (place, way), (other_place, other) in itertools.combinations(ways, 2):
        one, two = way.match, other.match
        if not _may_both_hold(one, two) or _conditions(one) != _conditions(two):
            continue
        if any(_wins(third.match, one, two) for _, third in ways):
            continue
        same = one == two
        yield Problem(
            f"{other_place.removesuffix('.longContext')}.match",
            f"the match of {place}" if same else f"{_said(two)}, beside {_said(one)} of {place}",
            "a match of its own"
            if same
            else "matches that no request has both of, or one with more conditions: which of the two routes would be"
            " taken depends on their age",
            "add a header to one, or make them one route with weights"
            if same
            else f"write match: {_said(_both(one, two))} for the one that shall win, or for a third route",
        )


def host_names_apart(draft: Draft) -> Iterator[Problem]:
    """Each name has one listener: a second one that it also belongs to would count limits for itself."""
    names = draft.gateway.host_names if draft.gateway else ()
    for (first, one), (second, two) in itertools.permutations(enumerate(names), 2):
        covers = one.startswith("*.") and two.endswith(one[1:])
        same = first < second and listener_name(one) == listener_name(two)
        if covers or same:
            yield Problem(
                f"gateway.hostNames[{second}]",
                f'"{two}" beside "{one}"',
                "names that do not cover one another, and whose listeners have names of their own",
                f'remove "{two}"' if covers or one == two else "rename one",
            )


def kserve_stays_off_the_gateway(draft: Draft) -> Iterator[Problem]:
    """KServe's own route has rules for every path, without limits and time-outs (KServe 0.20.0, llmisvc/router.go)."""
    named = draft.kserve.gateway if draft.kserve else None
    if draft.gateway is None or named is None or (named.namespace, named.name) != (GATEWAY_NAMESPACE, GATEWAY_NAME):
        return
    for index, model in draft.models:
        if model.kserve and model.kserve.route:
            yield Problem(
                f"models[{index}].kserve.route",
                f"true, on {named.namespace}/{named.name}, the platform's own gateway",
                "false: KServe's route passes every path of the engine, /metrics and adapters among them, to whoever"
                " has a key, without limits and time-outs",
                f"remove route and add a route under gateway.routes with backends: [{{model: {model.name}}}]",
            )


def _ways(draft: Draft) -> list[tuple[str, RouteSettings]]:
    """Where each way of each route stands, and the way."""
    return [
        (f"gateway.routes[{index}]" + (".longContext" if position else ""), way)
        for index, route in enumerate(draft.gateway.routes if draft.gateway else ())
        for position, way in enumerate(expanded([route]))
    ]


def _may_both_hold(one: RouteMatch, two: RouteMatch) -> bool:
    """Whether a request can match both. An exact path wins over every route without one."""
    if one.path != two.path or (one.model and two.model and one.model != two.model):
        return False
    return all(two.headers.get(name, value) == value for name, value in one.headers.items())


def _conditions(match: RouteMatch) -> int:
    return len(match.headers) + (match.model is not None)


def _both(one: RouteMatch, two: RouteMatch) -> RouteMatch:
    return RouteMatch(model=one.model or two.model, path=one.path, headers={**one.headers, **two.headers})


def _wins(third: RouteMatch, one: RouteMatch, two: RouteMatch) -> bool:
    """Whether a third route takes every request that matches both."""
    both = _both(one, two)
    holds = (
        third.path == both.path and third.model in (None, both.model) and third.headers.items() <= both.headers.items()
    )
    return holds and _conditions(third) > _conditions(one)


def _said(match: RouteMatch) -> str:
    """As YAML has it."""
    parts = [f"{key}: {value}" for key, value in (("model", match.model), ("path", match.path)) if value]
    if match.headers:
        parts.append("headers: {" + ", ".join(f"{name}: {value}" for name, value in match.headers.items()) + "}")
    return "{" + ", ".join(parts) + "}"
