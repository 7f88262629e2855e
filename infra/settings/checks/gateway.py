"""The way in: nothing public without a key, routes that lead somewhere, time-outs that no generation outlasts."""

from collections.abc import Iterator

from infra.catalog.engines import engine
from infra.errors import Problem
from infra.planning.routes import (
    HOP_MARGIN_SECONDS,
    NLB_IDLE_DEFAULT_SECONDS,
    NLB_IDLE_LARGEST_SECONDS,
    PICKER_ENGINES,
    ROUTE_MARGIN_SECONDS,
)
from infra.settings.checks.draft import Draft
from infra.settings.gateway import RouteSettings
from infra.settings.gateway_routes import (
    can_pick,
    longest_generation,
    models_of,
    patience_of,
    scales_by_requests,
    served_names,
)
from infra.settings.models import ModelSettings
from infra.settings.values import did_you_mean


def nothing_public_without_a_key(draft: Draft) -> Iterator[Problem]:
    """Keys for what is public, in production or shared by tenants; TLS for what is public or in production."""
    gateway = draft.gateway
    if gateway is None:
        return
    public = gateway.scheme == "internet-facing"
    shared = [tenant.name for _, tenant in draft.tenants]
    if gateway.authentication is None and (public or draft.stage == "production" or shared):
        why = "whoever finds the address" if public else "whoever reaches the VPC"
        yield Problem(
            "gateway.scheme" if public else "gateway.authentication",
            '"internet-facing" without authentication'
            if public
            else "none, " + ("in production" if draft.stage == "production" else f"with tenants: {', '.join(shared)}"),
            f"authentication with apiKeys or jwt: {why} could use every GPU behind it",
            "add authentication, or write scheme: internal"
            if public and draft.stage != "production" and not shared
            else "add authentication",
        )
    if gateway.tls is None and (public or draft.stage == "production"):
        yield Problem(
            "gateway.tls",
            "none, " + ("with an internet-facing gateway" if public else "in production"),
            "a certificate: keys, prompts and answers would travel in clear",
            "add tls with issuer, secret or certificateArn",
        )
    if gateway.classes and gateway.authentication is None:
        yield Problem(
            "gateway.classes",
            f"{len(gateway.classes)} classes without authentication",
            "authentication: a class is made of clients, and only a key or a token tells them apart",
            "add authentication, or remove the classes",
        )


def known_route_models(draft: Draft) -> Iterator[Problem]:
    """Every model that a route names is there, and every class."""
    if draft.gateway is None or "models" in draft.broken_areas:
        return
    known = sorted(model.name for _, model in draft.models)
    classes = {item.name for item in draft.gateway.classes}
    for index, route in enumerate(draft.gateway.routes):
        path = f"gateway.routes[{index}]"
        places = [(f"{path}.backends[{position}].model", item.model) for position, item in enumerate(route.backends)]
        places += [(f"{path}.overflow", route.overflow)] if route.overflow else []
        places += [(f"{path}.longContext.model", route.long_context.model)] if route.long_context else []
        for place, name in places:
            if name not in known:
                yield Problem(
                    place,
                    f'"{name}"',
                    f"the name of a model under models: {', '.join(known) or 'there is none'}",
                    did_you_mean(name, known, "add the model, or name one that is there"),
                )
        limits = [(f"{path}.limits[{position}]", limit) for position, limit in enumerate(route.limits)]
        far = route.long_context.limits if route.long_context else ()
        limits += [(f"{path}.longContext.limits[{position}]", limit) for position, limit in enumerate(far)]
        for place, limit in limits:
            if limit.client_class and limit.client_class not in classes:
                yield Problem(
                    f"{place}.clientClass",
                    f'"{limit.client_class}"',
                    f"a class under gateway.classes: {', '.join(sorted(classes)) or 'there is none'}",
                    did_you_mean(limit.client_class, classes, "add the class"),
                )


def weights_make_a_whole(draft: Draft) -> Iterator[Problem]:
    """The weights of a route's backends sum to 100, and each model stands once."""
    for index, route in _routes(draft):
        names = [backend.model for backend in route.backends]
        weights = [backend.weight for backend in route.backends]
        if sum(weights) != 100:
            others = sum(weights[:-1])
            yield Problem(
                f"gateway.routes[{index}].backends",
                " + ".join(map(str, weights)) + f" = {sum(weights)} percent",
                "weights that sum to 100",
                f"write {100 - others} for {names[-1]}"
                if 100 - others > 0
                else f"share 100 among {len(names)} backends",
            )
        if len(set(names)) < len(names):
            yield Problem(
                f"gateway.routes[{index}].backends", ", ".join(names), "each model once", "add up the weights of one"
            )


def generations_fit_time_outs(draft: Draft) -> Iterator[Problem]:
    """The gateway waits longer than the longest generation behind it, and the load balancer in front longer still."""
    models = _models(draft)
    certificate = draft.gateway.tls.certificate_arn if draft.gateway and draft.gateway.tls else None
    for index, route in _routes(draft):
        if any(name not in models for name in models_of(route)):
            continue
        waits = patience_of(route, models)
        slowest = max(models_of(route), key=lambda name: longest_generation(models[name]))
        if not waits.is_long_enough:
            yield Problem(
                f"gateway.routes[{index}].timeoutSeconds",
                f"{waits.request_seconds} s",
                f"more than {waits.generation_seconds} s, the longest generation of {slowest}"
                " (its drain.shutdownTimeoutSeconds)",
                f"write {waits.generation_seconds + ROUTE_MARGIN_SECONDS}, or leave it out",
            )
        largest = NLB_IDLE_DEFAULT_SECONDS if certificate else NLB_IDLE_LARGEST_SECONDS
        if waits.load_balancer_idle_seconds > largest:
            longest = largest - 2 * HOP_MARGIN_SECONDS
            other = "use tls.issuer or tls.secret, which end TLS in Envoy"
            shorter = (
                f"write {longest}"
                if waits.generation_seconds < longest
                else f"serve generations of less than {longest} s: lower drain.shutdownTimeoutSeconds of {slowest}"
            )
            yield Problem(
                f"gateway.routes[{index}].timeoutSeconds",
                f"{waits.request_seconds} s, so that an answer without streaming is as long silent",
                f"at most {longest} s: a listener of the NLB "
                + ("with an ACM certificate forgets" if certificate else "forgets")
                + f" a connection that is silent for {largest} s",
                f"{shorter}, or {other}" if certificate else shorter,
            )


def pickers_possible(draft: Draft) -> Iterator[Problem]:
    """An InferencePool only where the endpoint picker can read the engine and the name needs no rewriting."""
    models = _models(draft)
    for index, route in _routes(draft):
        model = models.get(route.backends[0].model)
        if model is None or route.balance != "endpoint-picker" or can_pick(route, model):
            continue
        yield Problem(
            f"gateway.routes[{index}].balance",
            f'"endpoint-picker" {_why_not(route, model)}',
            "a route to one model, asked for by a name that it serves, of an engine whose metrics the picker reads:"
            f" {', '.join(sorted(PICKER_ENGINES))}",
            "write balance: service",
        )


def engines_speak_the_api(draft: Draft) -> Iterator[Problem]:
    """The gateway reads requests and answers of the OpenAI API; Triton speaks another."""
    models = _models(draft)
    for index, route in _routes(draft):
        for name in models_of(route):
            if name in models and engine(models[name].engine).api not in ("", "openai"):
                yield Problem(
                    f"gateway.routes[{index}]",
                    f"{name}, served by {models[name].engine} with the API of {engine(models[name].engine).api}",
                    "models of engines with the API of OpenAI, of which the gateway reads name and tokens",
                    "serve it by another engine, or give it a load balancer of its own (models[].expose)",
                )


def paths_lead_to_one_model(draft: Draft) -> Iterator[Problem]:
    """A route by path does not read the body, so it rewrites no name and counts no tokens."""
    for index, route in _routes(draft):
        if route.match.path and (len(route.backends) > 1 or route.overflow or route.long_context):
            yield Problem(
                f"gateway.routes[{index}].match.path",
                f'"{route.match.path}" to {len(models_of(route))} models',
                "one backend without overflow and longContext: each model answers to its own name only, and a route by"
                " path does not rewrite it",
                "match a model or a header, or keep one backend",
            )


def overflow_goes_elsewhere(draft: Draft) -> Iterator[Problem]:
    """A request overflows once, so two models may take each other's; but to one that has refused it, it may not go."""
    for index, route in _routes(draft):
        if route.overflow in [backend.model for backend in route.backends]:
            yield Problem(
                f"gateway.routes[{index}].overflow",
                f'"{route.overflow}", a backend of the same route',
                "another model",
                "name a smaller one",
            )


def long_contexts_fit(draft: Draft) -> Iterator[Problem]:
    """The model for long prompts takes longer ones than the threshold says."""
    models = _models(draft)
    for index, route in _routes(draft):
        far = route.long_context
        model = models.get(far.model) if far else None
        if far is None or model is None:
            continue
        longest = model.max_model_len or (model.shape.max_context if model.shape else None)
        if longest is not None and longest <= far.above_tokens:
            yield Problem(
                f"gateway.routes[{index}].longContext.aboveTokens",
                str(far.above_tokens),
                f"less than {longest}, the longest context of {far.model}",
                f"write {longest // 2}, raise maxModelLen of {far.model}, or name another model",
            )


def _why_not(route: RouteSettings, model: ModelSettings) -> str:
    if model.engine not in PICKER_ENGINES:
        return f"for the engine {model.engine}"
    if scales_by_requests(model):
        return f"for {model.name}, whose requests Knative must see"
    if len(route.backends) > 1 or route.overflow:
        return f"to {len(route.backends) + (1 if route.overflow else 0)} models"
    return f'for the name "{route.match.model}", and {model.name} answers to {", ".join(served_names(model))}'


def _routes(draft: Draft) -> list[tuple[int, RouteSettings]]:
    return list(enumerate(draft.gateway.routes)) if draft.gateway else []


def _models(draft: Draft) -> dict[str, ModelSettings]:
    return {model.name: model for _, model in draft.models}
