"""What the settings of gateway and models together say of a route; read by checks and layers alike."""

from collections.abc import Iterable, Mapping

from infra.planning.routes import Patience, may_pick, patience
from infra.settings.gateway import RouteBackend, RouteSettings
from infra.settings.models import ModelSettings

LONG = "long"  # value of the header of long prompts


def longest_generation(model: ModelSettings) -> int:
    """Longest generation in seconds: what the engine's drain grants is what its user states (drain)."""
    return model.drain.shutdown_timeout_seconds


def served_names(model: ModelSettings) -> tuple[str, ...]:
    """Names that the model's engine answers to: its own, and those of its adapters."""
    adapters = [adapter.name for adapter in model.engine_options.lora_adapters]
    if model.kserve and model.kserve.lora:
        adapters += [adapter.name for adapter in model.kserve.lora.adapters]
    return (model.name, *adapters)


def models_of(route: RouteSettings) -> tuple[str, ...]:
    """Every model that a route leads to, overflow and long context among them, each once."""
    names = [backend.model for backend in route.backends]
    names += [route.overflow] if route.overflow else []
    names += [route.long_context.model] if route.long_context else []
    return tuple(dict.fromkeys(names))


def patience_of(route: RouteSettings, models: Mapping[str, ModelSettings]) -> Patience:
    """Time-outs of a route whose models are all known."""
    return patience([longest_generation(models[name]) for name in models_of(route)], route.timeout_seconds)


def has_own_scheduler(model: ModelSettings) -> bool:
    """Whether KServe brings the model's InferencePool and picker, so that the gateway needs none of its own."""
    return model.kserve is not None and model.kserve.kind == "LLMInferenceService"


def scales_by_requests(model: ModelSettings) -> bool:
    """Whether requests must pass Knative, which counts them and starts servers for them."""
    return model.kserve is not None and model.kserve.mode == "Knative"


def picks(route: RouteSettings, model: ModelSettings) -> bool:
    """Whether an endpoint picker chooses the replica of a route's one model; as asked for, else where it can."""
    return route.balance != "service" and can_pick(route, model)


def can_pick(route: RouteSettings, model: ModelSettings) -> bool:
    """Whether an endpoint picker could choose the replica."""
    ways = len(route.backends) + (1 if route.overflow else 0)
    possible = may_pick(ways, route.match.model, served_names(model), model.engine)
    return possible and not scales_by_requests(model)


def expanded(routes: Iterable[RouteSettings]) -> list[RouteSettings]:
    """The routes as the gateway knows them: the way of long prompts is a route of its own, with one header more."""
    found: list[RouteSettings] = []
    for route in routes:
        far = route.long_context
        found.append(route.model_copy(update={"long_context": None}))
        if far:
            match = route.match.model_copy(update={"headers": {**route.match.headers, far.header: LONG}})
            only = {
                "backends": (RouteBackend(model=far.model),),
                "overflow": None,
                "long_context": None,
                "limits": far.limits,
            }
            found.append(route.model_copy(update={"name": f"{route.name}-long", "match": match, **only}))
    return found


def picked_models(routes: Iterable[RouteSettings], models: Mapping[str, ModelSettings]) -> tuple[str, ...]:
    """Models that need an endpoint picker of the gateway's, each once, in order of the routes."""
    found = [
        route.backends[0].model
        for route in expanded(routes)
        if picks(route, models[route.backends[0].model]) and not has_own_scheduler(models[route.backends[0].model])
    ]
    return tuple(dict.fromkeys(found))
