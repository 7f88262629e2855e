"""What splits the traffic between a stable version and its canary: weights of routes, or a field of KServe.

Runs in the cluster with Python's standard library only, beside `script.py`. The state of a rollout is an annotation on
each object that splits the traffic, written in the same request as the split itself, so the two cannot disagree, and a
script that was killed goes on where it was. Every write names the version of the object it has read: a change that
somebody else made meanwhile is read first, and an object that another rollout has taken is left alone.
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, Protocol

from components.serving.canary.cluster import Api, ApiError, Json
from infra.planning.canary import weights

REVISION_LABEL = "serving.knative.dev/revision"
_CONFLICTS = 10


class TakenOverError(Exception):
    """The traffic is another rollout's."""


class Split(Protocol):
    """What splits the traffic between the stable version and the canary."""

    def state(self) -> Json:
        """The state of the last rollout; empty when there was none."""

    def claim(self, state: Json) -> None:
        """Give the canary nothing, and take the split from whichever rollout had it."""

    def move(self, percent: int, state: Json) -> None:
        """Give the canary so many per cent and note the state; TakenOverError when the split is another rollout's."""

    def holds(self, percent: int) -> bool:
        """Whether the traffic is still split like that; a person, or an update of the stack, may have changed it."""

    def selectors(self) -> Mapping[str, str]:
        """Label selector of the pods of `stable` and of `canary`."""

    def subject(self) -> Json:
        """What events are about."""


class RouteSplit:
    """Weights of backends in routes: HTTPRoutes, or any kind whose rules have `backendRefs` with weights.

    Args:
        routes: `path` of each, and the names of its backends `stable` and `canary`.
        labels: label selectors of their pods.
        annotation: name of the annotation with the state; each canary behind a route has its own.
    """

    def __init__(
        self, api: Api, routes: Sequence[Mapping[str, str]], labels: Mapping[str, str], annotation: str
    ) -> None:
        self._api, self._routes, self._labels, self._annotation = api, routes, labels, annotation

    def state(self) -> Json:
        return _state_of(self._api.get(self._routes[0]["path"]), self._annotation)

    def selectors(self) -> Mapping[str, str]:
        return self._labels

    def subject(self) -> Json:
        return _subject(self._api.get(self._routes[0]["path"]))

    def holds(self, percent: int) -> bool:
        found = [(self._api.get(route["path"]), route) for route in self._routes]
        return all(_with_weights(deepcopy(item), route, percent)["spec"]["rules"] == item["spec"]["rules"]
                   for item, route in found)  # fmt: skip

    def claim(self, state: Json) -> None:
        self._write(0, state, claims=True)

    def move(self, percent: int, state: Json) -> None:
        self._write(percent, state)

    def _write(self, percent: int, state: Json, *, claims: bool = False) -> None:
        # The one that is asked for the state comes last: until then a killed script does the step again.
        for route in reversed(self._routes):
            make = partial(_with_weights, names=route, percent=percent)
            _change(self._api, route["path"], make, self._annotation, state, claims=claims)


def _with_weights(found: Json, names: Mapping[str, str], percent: int) -> Json:
    """The rules of a route with the weights of both versions moved; together they keep what they had.

    Raises:
        TakenOverError: when it does not lead to both: the stack has another canary now, or none.
    """
    rules, moved = found["spec"]["rules"], False
    for rule in rules:
        backends = {item["name"]: item for item in rule.get("backendRefs") or ()}
        stable, canary = (backends.get(names[side]) for side in ("stable", "canary"))
        if stable and canary:
            moved = True
            total = stable.get("weight", 1) + canary.get("weight", 1)
            if total * percent % 100:  # finer weights for all of the rule, once
                for backend in backends.values():
                    backend["weight"] = backend.get("weight", 1) * 100
                total *= 100
            stable["weight"], canary["weight"] = weights(total, percent)
    if not moved:
        raise TakenOverError(f"no rule leads to both {names['stable']} and {names['canary']}")
    return {"spec": {"rules": rules}}


class KnativeSplit:
    """`canaryTrafficPercent` of an InferenceService in Knative mode: the latest revision against the one before.

    Args:
        path: of the InferenceService.
        annotation: name of the annotation with the state.
    """

    def __init__(self, api: Api, path: str, annotation: str) -> None:
        self._api, self._path, self._annotation = api, path, annotation

    def state(self) -> Json:
        return _state_of(self._api.get(self._path), self._annotation)

    def subject(self) -> Json:
        return _subject(self._api.get(self._path))

    def selectors(self) -> Mapping[str, str]:
        """Pods by revision. Without a revision that was rolled out before there is nothing to compare with."""
        status = self._api.get(self._path).get("status", {}).get("components", {}).get("predictor", {})
        latest = status.get("latestCreatedRevision", "")
        before = status.get("latestRolledoutRevision", "")
        if before == latest:
            before = status.get("previousRolledoutRevision", "")
        return {"stable": f"{REVISION_LABEL}={before or 'none'}", "canary": f"{REVISION_LABEL}={latest or 'none'}"}

    def holds(self, percent: int) -> bool:
        return bool(self._api.get(self._path)["spec"]["predictor"].get("canaryTrafficPercent") == percent)

    def claim(self, state: Json) -> None:
        self._write(0, state, claims=True)

    def move(self, percent: int, state: Json) -> None:
        self._write(percent, state)

    def _write(self, percent: int, state: Json, *, claims: bool = False) -> None:
        spec = {"spec": {"predictor": {"canaryTrafficPercent": percent}}}
        _change(self._api, self._path, lambda _: spec, self._annotation, state, claims=claims)


def _change(
    api: Api,
    path: str,
    make: Any,  # a function from an object to a patch
    annotation: str,
    state: Json,
    *,
    claims: bool,
) -> None:
    """Patch what `make` makes of the object as it is now, with the state beside it.

    Raises:
        TakenOverError: when the object that was just read is another rollout's, and this one does not claim it.
    """
    for _ in range(_CONFLICTS):
        found = api.get(path)
        if not claims and _state_of(found, annotation).get("run") != state["run"]:
            raise TakenOverError(f"{path} is another rollout's")
        metadata: Json = {
            "resourceVersion": found["metadata"]["resourceVersion"],
            "annotations": {annotation: json.dumps(state, sort_keys=True)},
        }
        try:
            api.patch(path, {**make(found), "metadata": metadata})
        except ApiError as error:
            if error.status != 409:
                raise
        else:
            return
    raise ApiError(409, f"{path} changes all the time")


def _state_of(found: Json, annotation: str) -> Json:
    text = (found["metadata"].get("annotations") or {}).get(annotation, "")
    return dict(json.loads(text)) if text else {}


def _subject(found: Json) -> Json:
    metadata = found["metadata"]
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        **{key: metadata[key] for key in ("namespace", "name", "uid")},
    }
