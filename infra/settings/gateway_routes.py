"""What the settings of gateway and models together say of a route; read by checks and layers alike."""

from collections.abc import Iterable, Mapping

from infra.planning.routes import Patience, may_pick, patience
from infra.settings.gateway import RouteSettings
from infra.settings.models import ModelSettings


def longest_generation(model: ModelSettings) -> int:
    """Longest generation in seconds: what the engine's drain grants is what its user states (drain)."""
    return model.drain.shutdown_timeout_seconds


def served_names(model: ModelSettings) -> tuple[str, ...]:
    """Names that the model's engine answers to."""
    return (model.name,)


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
    """Whether the model is behind a gateway or scheduler of its own, as KServe's are."""
    return getattr(model, "kserve", None) is not None


def picks(route: RouteSettings, model: ModelSettings) -> bool:
    """Whether the endpoint picker chooses the replica of a route's one model; as asked for, else where it can."""
    return route.balance != "service" and can_pick(route, model)


def can_pick(route: RouteSettings, model: ModelSettings) -> bool:
    """Whether the endpoint picker could choose the replica."""
    ways = len(route.backends) + (1 if route.overflow else 0)
    return may_pick(ways, route.match.model, served_names(model), model.engine) and not has_own_scheduler(model)


def picked_models(routes: Iterable[RouteSettings], models: Mapping[str, ModelSettings]) -> tuple[str, ...]:
    """Models that need an endpoint picker, each once, in order of the routes."""
    found: list[str] = []
    for route in routes:
        first = models[route.backends[0].model]
        if picks(route, first):
            found.append(first.name)
    return tuple(dict.fromkeys(found))
