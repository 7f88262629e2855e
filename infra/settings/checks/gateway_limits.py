"""Limits of the gateway: whoever comes meets one, by whichever route, and no number is granted twice."""

from collections.abc import Iterator

from infra.errors import Problem
from infra.planning.routes import counters
from infra.settings.checks.draft import Draft
from infra.settings.gateway import RouteSettings
from infra.settings.gateway_limits import Limit
from infra.settings.gateway_routes import expanded, models_of


def clients_in_one_class(draft: Draft) -> Iterator[Problem]:
    """A class is there once, and no client is in two: both limits would hold for it."""
    names: dict[str, int] = {}
    classes: dict[str, str] = {}
    for index, item in enumerate(draft.gateway.classes if draft.gateway else ()):
        first = names.setdefault(item.name, index)
        if first != index:
            yield Problem(
                f"gateway.classes[{index}].name",
                f'"{item.name}", the name of gateway.classes[{first}]',
                "a name of its own",
                "rename one, or put their clients together",
            )
        for position, client in enumerate(item.clients):
            place = f"gateway.classes[{index}].clients[{position}]"
            if client in classes:
                other = f'"{client}", which is in the class {classes[client]}'
                yield Problem(place, other, "a client in one class", "remove it from one of them")
            classes.setdefault(client, item.name)


def everybody_has_a_limit(draft: Draft) -> Iterator[Problem]:
    """Each class once in the limits of a route, and where there are classes one limit for all others."""
    for place, _, limits in _limits(draft):
        named = [limit.client_class for limit in limits]
        for position, name in enumerate(named):
            first = named.index(name)
            if first != position:
                yield Problem(
                    f"{place}[{position}]",
                    f"a second limit for {name or 'the clients of no class'}",
                    f"one limit, with requests and tokens together: {place}[{first}] is the first",
                    "make them one",
                )
        if limits and None not in named:
            least = min(limits, key=lambda limit: limit.requests_per_minute or limit.tokens_per_minute or 0)
            yield Problem(
                place,
                f"limits for {', '.join(name for name in named if name)} only",
                "one limit without clientClass: a client of no class, or of another one, would have none",
                f"add {{{_written(least)}}}, for all others together",
            )


def no_way_round_limits(draft: Draft) -> Iterator[Problem]:
    """A model that a route reaches with limits is reached without by no other: clients choose their route."""
    ways = list(_limits(draft))
    limited = {backend.model: place for place, way, limits in ways if limits for backend in way.backends}
    for place, way, limits in ways:
        open_to_all = [name for name in models_of(way) if name in limited]
        if open_to_all and not limits:
            yield Problem(
                place,
                f"none, and {open_to_all[0]} is behind {limited[open_to_all[0]]}",
                "limits on every route to a model that has some: clients choose their route by model, header or path",
                "give the route limits of its own; each route counts for itself",
            )
    for index, route in enumerate(draft.gateway.routes if draft.gateway else ()):
        if route.limits and route.long_context and not route.long_context.limits:
            yield Problem(
                f"gateway.routes[{index}].longContext.limits",
                f"none, beside limits of {route.name}",
                f"limits for long prompts: whoever sends {route.long_context.header}: long would have none",
                "add longContext.limits; they count apart from those of the route",
            )


def limits_can_be_counted(draft: Draft) -> Iterator[Problem]:
    """Tokens are counted after the answer, by all Envoys together; requests by each, which grants at least one."""
    gateway = draft.gateway
    for place, way, limits in _limits(draft):
        for position, limit in enumerate(limits):
            if gateway is None or limit.tokens_per_minute is None:
                continue
            tokens = f"{place}[{position}].tokensPerMinute"
            if gateway.rate_limit_store is None:
                yield Problem(
                    tokens,
                    f"{limit.tokens_per_minute} without a store",
                    "gateway.rateLimitStore: Envoy counts tokens only in a Redis that all of them share",
                    "give rateLimitStore, or limit requestsPerMinute and concurrent",
                )
            if way.match.path:
                yield Problem(
                    tokens,
                    f"{limit.tokens_per_minute} on a route by path",
                    "a route by model or header: one by path does not read the body",
                    "match a model or a header, or limit requestsPerMinute",
                )
    yield from _parts_are_whole(draft)


def _parts_are_whole(draft: Draft) -> Iterator[Problem]:
    gateway = draft.gateway
    if gateway is None or gateway.rate_limit_store is not None:
        return
    for place, way, limits in _limits(draft):
        counting = counters(gateway.replicas, len(gateway.host_names), len(gateway.paths) if way.match.path else 1)
        for position, limit in enumerate(limits):
            if limit.requests_per_minute is not None and limit.requests_per_minute < counting:
                yield Problem(
                    f"{place}[{position}].requestsPerMinute",
                    f"{limit.requests_per_minute} among {counting} counters",
                    f"at least {counting}: {gateway.replicas} Envoys count for themselves, each by host name"
                    + (" and path" if way.match.path else ""),
                    f"write {counting}, or give rateLimitStore, in which all count together",
                )


def _written(limit: Limit) -> str:
    if limit.requests_per_minute:
        return f"requestsPerMinute: {limit.requests_per_minute}"
    return f"tokensPerMinute: {limit.tokens_per_minute}"


def _limits(draft: Draft) -> Iterator[tuple[str, RouteSettings, tuple[Limit, ...]]]:
    """Where the limits of each way stand, the way, and its limits; long prompts have a way of their own."""
    for index, route in enumerate(draft.gateway.routes if draft.gateway else ()):
        for position, way in enumerate(expanded([route])):
            place = f"gateway.routes[{index}]" + (".longContext" if position else "") + ".limits"
            yield place, way, way.limits
