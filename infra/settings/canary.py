"""A second version of a model that takes over the traffic step by step, or gives it back."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, StrictFloat, StrictInt

from infra.planning.canary import FEWEST_REQUESTS, faults_of_steps, nearest_steps
from infra.settings.gateway import RouteSettings
from infra.settings.values import Flag, ObjectName, Positive, Settings, invalid

if TYPE_CHECKING:
    from infra.settings.models import ModelSettings
    from infra.settings.schema import PlatformSettings

SUFFIX = "-canary-"
_HASH_LENGTH = 5
# What a canary's name has more than its model's.
NAME_MORE = len(SUFFIX) + _HASH_LENGTH
# Who it is and how many there are: no part of what its servers are told.
_NO_DIFFERENCE = {"name", "canary", "expose", "replicas"}

Ratio = Annotated[StrictFloat, Field(ge=1, allow_inf_nan=False)]


def _check_steps(steps: tuple[int, ...]) -> tuple[int, ...]:
    fault = faults_of_steps(steps)
    if fault:
        raise invalid(f"shares in percent, such as [10, 25, 50, 100]: {fault}", f"write {nearest_steps(steps)}")
    return steps


def _check_image(text: str) -> str:
    from infra.settings.models import _check_image as check  # imported here: the models' module imports this one

    return check(text)


class CanaryLimits(Settings):
    """How much worse than the stable version it may be in any step."""

    ttft_ratio: Ratio = 1.2
    """Largest p95 of the time to first token, and largest mean, as a multiple of the stable version's. An estimate;
    buckets of vLLM lie a factor 1.3 to 5 apart: docs/canary.md says what they cannot show."""
    tpot_ratio: Ratio = 1.2
    """Largest p99 of the time per output token, and largest mean, as a multiple of the stable version's. An
    estimate."""
    error_delta: Annotated[StrictFloat, Field(ge=0, le=1)] = 0.01
    """Largest share of failed requests beyond the stable version's, between 0 and 1. An estimate."""
    abort_delta: Annotated[StrictFloat, Field(ge=0, le=1)] = 0.05
    """Largest share of aborted requests beyond the stable version's: clients that gave up, mostly. An estimate; one
    client that goes away takes all its requests along, so it is wider."""


class QualityCheck(Settings):
    """What only its owner can judge: whether the answers are good. A container, or a URL that is asked by POST."""

    image: Annotated[str, AfterValidator(_check_image)] | None = None
    """Image of a Job that runs once in each step, with CANARY_URL, MODEL (the name that the canary answers to) and
    PERCENT in its environment; exit code 0 passes. It must run as any user that is not root."""
    command: tuple[str, ...] = ()
    """Command of that container; none means the image's own."""
    url: Annotated[str, Field(pattern=r"https?://\S+")] | None = None
    """Gets a POST with model, canaryUrl and percent as JSON in each step; an answer 2xx passes."""
    timeout_seconds: Positive = 1800
    """Longest time for one check; then it has failed."""


class CanarySettings(Settings):
    """What the new version has different, and how it takes over. All else is the model's own."""

    image: Annotated[str, AfterValidator(_check_image)] | None = None
    """Engine image."""
    model: str | None = None
    """Hugging Face repository, or a path in the image; with it, `revision` and `checkpointGib` are its own too."""
    revision: str | None = None
    """Commit of the repository."""
    checkpoint_gib: Annotated[StrictFloat, Field(gt=0, allow_inf_nan=False)] | None = None
    """Size of the checkpoint in GiB, where the catalogue does not know the model."""
    weights: ObjectName | None = None
    """Store under storage.weights."""
    max_model_len: Positive | None = None
    """Longest context in tokens."""
    gpu_memory_utilization: Annotated[StrictFloat, Field(gt=0, lt=1)] | None = None
    """Share of the GPU memory for everything the engine does."""
    replicas: Positive | None = None
    """Servers. Default: as many as the stable version has, which 100 % of the traffic needs."""
    steps: Annotated[tuple[StrictInt, ...], AfterValidator(_check_steps)] = (10, 25, 50, 100)
    """Shares of the traffic in percent, one after the other."""
    bake_seconds: Positive = 600
    """Shortest time of a step. An estimate: ten minutes show a queue that grows."""
    min_requests: Annotated[Positive, Field(ge=FEWEST_REQUESTS)] = 500
    """Finished requests that each version needs in a step before it is judged; the p99 of fewer than a hundred is only
    the slowest of them. At 500 it rests on five. An estimate."""
    max_wait_seconds: Positive = 7200
    """Longest time of a step; a canary that nobody can judge by then is rolled back."""
    limits: CanaryLimits = CanaryLimits()
    """How much worse it may be."""
    quality_check: QualityCheck | None = None
    """Whether its answers are good; none means that only speed and errors are looked at."""
    wait: Flag = False
    """Whether `pulumi up` waits until the rollout has ended and fails when it was rolled back. Default: it only starts
    it, because hours of baking would hold the stack's lock."""


_DIFFERENCES = (
    "image",
    "model",
    "revision",
    "checkpoint_gib",
    "weights",
    "max_model_len",
    "gpu_memory_utilization",
    "replicas",
)


def differences(canary: CanarySettings) -> dict[str, Any]:
    """What the canary says different, by field of the model."""
    found = {name: getattr(canary, name) for name in _DIFFERENCES}
    return {name: value for name, value in found.items() if value is not None}


def canary_of(model: "ModelSettings") -> "ModelSettings":
    """The canary as a model of its own, by its own servers; the gateway writes its name into requests for it.

    Raises:
        ValueError: when the model has no canary.
    """
    if model.canary is None:
        raise ValueError(f"{model.name} has no canary")
    twin = next_revision(model).model_copy(update={"canary": None, "expose": None})
    return twin.model_copy(update={"name": model.name + SUFFIX + _hash_of(twin)})


def _hash_of(canary: "ModelSettings") -> str:
    """Of all that its servers are told. Other settings are other servers with another name: they never come up under a
    share of the traffic that was granted to the ones before."""
    told = canary.model_dump(mode="json", exclude_defaults=True, exclude=_NO_DIFFERENCE)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:_HASH_LENGTH]


def servers_beside(model: "ModelSettings") -> tuple["ModelSettings", ...]:
    """What has servers of its own for a model: itself, and its canary, unless that is a revision of KServe's."""
    return (model, canary_of(model)) if model.canary and model.kserve is None else (model,)


def next_revision(model: "ModelSettings") -> "ModelSettings":
    """A model as KServe's next revision of it has it: with what its canary says different."""
    if model.canary is None:
        return model
    changes = differences(model.canary)
    if "model" in changes:  # what was said of another checkpoint
        changes = {"revision": None, "checkpoint_gib": None, "shape_of": None, **changes}
    return model.model_copy(update=changes)


def with_canaries(settings: "PlatformSettings") -> "PlatformSettings":
    """The settings with every canary as a model beside its stable version, and as a backend without traffic yet.

    In KServe's Knative mode the canary is a revision of the same InferenceService, so it takes the model's place.
    """
    if not any(model.canary for model in settings.models):
        return settings
    models: list[ModelSettings] = []
    for model in settings.models:
        if model.canary and model.kserve:
            quiet = model.kserve.model_copy(update=_NO_TRAFFIC)
            models.append(next_revision(model).model_copy(update={"kserve": quiet}))
        else:
            models += servers_beside(model)
    changes: dict[str, Any] = {"models": tuple(models)}
    if settings.gateway is not None:
        routes = routes_with_canaries(settings.gateway.routes, settings.models)
        changes["gateway"] = settings.gateway.model_copy(update={"routes": routes})
    return settings.model_copy(update=changes)


def routes_with_canaries(
    routes: Iterable[RouteSettings], models: Iterable["ModelSettings"]
) -> tuple[RouteSettings, ...]:
    """The routes with the canaries of the models among their backends."""
    canaries = {model.name: canary_of(model).name for model in models if model.canary and model.kserve is None}
    return tuple(_with_backends(route, canaries) for route in routes)


# The revision is made without traffic; the rollout gives it some.
_NO_TRAFFIC = {"canary_traffic_percent": 0}


def splits(route: RouteSettings, model: str) -> bool:
    """Whether the weights of a route can split the traffic of a model; a route by path has one backend."""
    return route.match.path is None and any(backend.model == model for backend in route.backends)


def _with_backends(route: RouteSettings, canaries: Mapping[str, str]) -> RouteSettings:
    """The route with a backend without traffic for each canary of those it splits.

    Args:
        canaries: name of the canary by its model's.
    """
    backends = []
    for backend in route.backends:
        backends.append(backend)
        if backend.model in canaries and splits(route, backend.model):
            backends.append(backend.model_copy(update={"model": canaries[backend.model], "weight": 0}))
    return route.model_copy(update={"backends": tuple(backends)})


def without_canaries(route: RouteSettings, models: Mapping[str, "ModelSettings"]) -> RouteSettings:
    """The route as the settings wrote it, before `with_canaries`."""
    found = (models[backend.model] for backend in route.backends)
    canaries = {canary_of(model).name for model in found if model.canary and model.kserve is None}
    return route.model_copy(update={"backends": tuple(item for item in route.backends if item.model not in canaries)})
