"""A canary that can be judged: traffic that can be split, servers for its share, and a difference to look at."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from infra.errors import Problem
from infra.planning.canary import METRICS
from infra.settings.canary import NAME_MORE, CanarySettings, canary_of, differences, splits
from infra.settings.checks import (
    engine_files,
    engine_numbers,
    engines,
    kserve_servers,
    model_slices,
    multi_node,
    server_size,
    startup,
    storage,
    workloads,
)
from infra.settings.checks.draft import Draft
from infra.settings.models import ModelSettings
from infra.settings.multi_node import LONGEST_NAME
from infra.settings.values import OBJECT_NAME_LIMIT

# Checks of a single model that its canary must pass by itself.
_OF_ONE_MODEL: tuple[Callable[[Draft], Iterator[Problem]], ...] = (
    server_size.parallel_fits_node,
    workloads.parallel_divides_heads,
    workloads.context_within_model,
    workloads.checkpoint_size_known,
    engine_numbers.parallel_divides_kv_heads,
    engine_numbers.mixtures_have_experts,
    engine_numbers.checkpoints_can_be_read_so,
    engine_files.adapters_fit,
    engine_files.drafts_fit,
    multi_node.stages_are_even,
    multi_node.image_has_the_fabric,
    multi_node.weights_come_once,
    model_slices.weights_fit_slice,
    model_slices.shares_of_memory,
    startup.probe_waits_long_enough,
    storage.known_stores,
    storage.kinds_fit_models,
    storage.pinned_downloads,
    kserve_servers.hugging_face_takes_few,
    engines.remote_code_is_pinned,
    engines.image_is_the_engines,
)

# What a canary can say by itself, as YAML has it.
_SETTINGS = frozenset(field.alias or name for name, field in CanarySettings.model_fields.items())


def _canaries(draft: Draft) -> Iterator[tuple[str, ModelSettings, CanarySettings]]:
    for index, model in draft.models:
        if model.canary is not None:
            yield f"models[{index}].canary", model, model.canary


def traffic_can_be_split(draft: Draft) -> Iterator[Problem]:
    """Only weights of a route, or KServe's field in Knative mode, split traffic; anything else would ignore it."""
    routes = draft.gateway.routes if draft.gateway else ()
    for path, model, _ in _canaries(draft):
        if model.kserve is None:
            if "gateway" not in draft.broken_areas and not any(splits(route, model.name) for route in routes):
                yield Problem(
                    path,
                    f"a canary of {model.name}, which no route of the gateway by model or header leads to",
                    "a route under gateway.routes with it among the backends: its weights split the traffic",
                    f"add a route with backends: [{{model: {model.name}}}], or remove the canary",
                )
            for index, route in enumerate(routes):
                if route.balance == "endpoint-picker" and splits(route, model.name):
                    yield Problem(
                        f"gateway.routes[{index}].balance",
                        f"endpoint-picker before {model.name}, which has a canary",
                        "service while there is a canary: a picker chooses among the servers of one version",
                        "remove balance; the picker is back when the canary is gone",
                    )
        elif model.kserve.mode != "Knative":
            kind = f"in mode {model.kserve.mode}" if model.kserve.mode else f"with kind {model.kserve.kind}"
            yield Problem(
                path,
                f"a canary of {model.name}, which KServe serves {kind}",
                "mode Knative, or a model without kserve: in any other mode KServe ignores canaryTrafficPercent",
                "write kserve: {kind: InferenceService, mode: Knative}, or remove kserve and add a route of the"
                " gateway",
            )
        elif model.kserve.canary_traffic_percent is not None:
            yield Problem(
                f"{path.removesuffix('.canary')}.kserve.canaryTrafficPercent",
                str(model.kserve.canary_traffic_percent),
                "no value beside canary: the rollout writes it",
                "remove it, or remove the canary and move the traffic by hand",
            )


def engine_can_be_measured(draft: Draft) -> Iterator[Problem]:
    """Versions are compared by histograms that not every engine has."""
    for path, model, _ in _canaries(draft):
        if model.engine not in METRICS:
            yield Problem(
                path,
                f'a canary with engine "{model.engine}"',
                f"an engine whose metrics can be judged: {', '.join(METRICS)}",
                "compare the versions by hand behind two routes, or serve the model with one of these",
            )


def something_differs(draft: Draft) -> Iterator[Problem]:
    """A canary that is the stable version says nothing."""
    for path, model, canary in _canaries(draft):
        other = {name: value for name, value in differences(canary).items() if value != getattr(model, name)}
        if not set(other) - {"replicas"}:
            yield Problem(
                path,
                "nothing that the stable version does not have",
                "at least one of image, model, revision, weights, maxModelLen, gpuMemoryUtilization",
                "write what is new, or remove the canary",
            )


def servers_for_its_share(draft: Draft) -> Iterator[Problem]:
    """As many servers as the largest step needs; fewer would be slow for their number, not for their version."""
    for path, model, canary in _canaries(draft):
        needed = -(-model.replicas * max(canary.steps) // 100)
        if canary.replicas is not None and canary.replicas < needed:
            yield Problem(
                f"{path}.replicas",
                str(canary.replicas),
                f"at least {needed}: the last step gives it {max(canary.steps)} % of what {model.replicas} servers do",
                f"write {needed}, or end with a step of {canary.replicas * 100 // model.replicas} % or less",
            )


def servers_stay(draft: Draft) -> Iterator[Problem]:
    """A revision that Knative lets go of while it has no traffic has no server that could be judged."""
    for path, model, _ in _canaries(draft):
        if model.kserve and model.kserve.mode == "Knative" and model.kserve.min_replicas == 0:
            yield Problem(
                f"{path.removesuffix('.canary')}.kserve.minReplicas",
                f"0 for {model.name}, which has a canary",
                "at least 1 while there is a canary: it begins without traffic, and with no server it is rolled back",
                "write 1, or remove the canary and move the traffic by hand",
            )


def names_are_free(draft: Draft) -> Iterator[Problem]:
    """Its objects are called <name>-canary-<hash of its settings>."""
    names = {model.name for _, model in draft.models}
    for path, model, _ in _canaries(draft):
        if model.kserve is not None:
            continue
        name = canary_of(model).name
        if name in names:
            yield Problem(
                path,
                f'a canary beside a model named "{name}"',
                "that name free, in any namespace: the canary's servers have it",
                "rename the other model",
            )
        longest = (min(OBJECT_NAME_LIMIT, LONGEST_NAME) if model.nodes > 1 else OBJECT_NAME_LIMIT) - NAME_MORE
        if len(model.name) > longest:
            yield Problem(
                f"{path.removesuffix('.canary')}.name",
                f'"{model.name}", {len(model.name)} characters',
                f"at most {longest} with a canary, whose servers are called {name}",
                f"shorten it by {len(model.name) - longest} characters",
            )


def times_fit(draft: Draft) -> Iterator[Problem]:
    """A step can reach its shortest time before its longest."""
    for path, _, canary in _canaries(draft):
        if canary.bake_seconds > canary.max_wait_seconds:
            yield Problem(
                f"{path}.bakeSeconds",
                str(canary.bake_seconds),
                f"at most maxWaitSeconds, {canary.max_wait_seconds}",
                f"write {canary.max_wait_seconds} or less, or raise maxWaitSeconds",
            )


def one_quality_check(draft: Draft) -> Iterator[Problem]:
    """A container or a URL."""
    for path, model, canary in _canaries(draft):
        check = canary.quality_check
        if check and (check.image is None) == (check.url is None):
            found = "neither image nor url" if check.url is None else "image and url"
            yield Problem(f"{path}.qualityCheck", found, "one of image and url", "keep the one that is to judge")
        if check and model.kserve is not None:
            yield Problem(
                f"{path}.qualityCheck",
                f"a check of {model.name}, whose canary is a revision of KServe",
                "none: a revision has no address of its own here, so the check would ask both versions",
                "remove it, or serve the model without kserve behind a route of the gateway",
            )


def valid_by_itself(draft: Draft) -> Iterator[Problem]:
    """What holds for a model holds for its canary; what is wrong with both is said of the model alone."""
    for index, model in draft.models:
        if model.canary is None:
            continue
        twin = canary_of(model).model_copy(update={"name": model.name})
        for check in _OF_ONE_MODEL:
            known = list(check(replace(draft, models=((index, model),))))
            for problem in check(replace(draft, models=((index, twin),))):
                if problem not in known and problem.path.startswith(f"models[{index}]."):
                    yield _of_canary(problem, f"models[{index}]")


def _of_canary(problem: Problem, model: str) -> Problem:
    """A problem of the canary as a model, where a user can mend it: what a canary cannot say is its model's."""
    setting = problem.path.removeprefix(f"{model}.")
    if setting.partition(".")[0].partition("[")[0] in _SETTINGS:
        return replace(problem, path=f"{model}.canary.{setting}")
    found = f"{setting} {problem.found}, which the canary has from {model}"
    mend = f"{problem.mend} ({setting} of {model}), or change what the canary has different"
    return replace(problem, path=f"{model}.canary", found=found, mend=mend)
