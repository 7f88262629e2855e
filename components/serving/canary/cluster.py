"""The cluster as the canary script sees it: who serves, how traffic is split, and where its state is kept.

Runs in the cluster with Python's standard library only, beside `script.py`. The state of a rollout is an annotation on
the object that splits the traffic, written in the same request as the split itself, so the two cannot disagree, and a
script that was killed goes on where it was. Every write names the version of the object it has read: a change that
somebody else made meanwhile is read first.
"""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from infra.planning.canary import MetricNames, reading, weights

Json = dict[str, Any]

STATE_ANNOTATION = "gpu-platform/canary"
MANAGER = "gpu-platform-canary"
REVISION_LABEL = "serving.knative.dev/revision"
_SECONDS = 10.0
_CONFLICTS = 10


class ApiError(Exception):
    """The API server refused a request, or did not answer (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The API server.

    Args:
        server: its URL.
        credentials: folder with `token` and `ca.crt`, as Kubernetes mounts them into a pod.
    """

    def __init__(self, server: str, credentials: Path) -> None:
        self._server = server
        self._token = credentials / "token"
        self._context = ssl.create_default_context(cafile=str(credentials / "ca.crt"))

    def get(self, path: str) -> Json:
        """The object or list at `path`."""
        return self._ask("GET", path)

    def patch(self, path: str, body: Json) -> Json:
        """JSON merge patch."""
        return self._ask("PATCH", f"{path}?fieldManager={MANAGER}", body, "application/merge-patch+json")

    def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection at `path`."""
        return self._ask("POST", f"{path}?fieldManager={MANAGER}", body, "application/json")

    def _ask(self, method: str, path: str, body: Json | None = None, kind: str = "") -> Json:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._server + path, data, method=method)  # noqa: S310 - always https
        # Read anew each time: kubelet exchanges the token every hour.
        request.add_header("Authorization", f"Bearer {self._token.read_text(encoding='utf-8').strip()}")
        if kind:
            request.add_header("Content-Type", kind)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )
        try:
            with opener.open(request, timeout=_SECONDS) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, f"{method} {path}: {error.read().decode(errors='replace')[:500]}") from None
        except OSError as error:
            raise ApiError(0, f"{method} {path}: {error}") from None


@dataclass(frozen=True)
class Server:
    """One server that is ready: its name, and host and port of its metrics."""

    name: str
    address: str


class Split(Protocol):
    """What splits the traffic between the stable version and the canary."""

    def state(self) -> Json:
        """The state of the last rollout; empty when there was none."""

    def move(self, percent: int, state: Json) -> None:
        """Give the canary so many per cent and note the state."""

    def holds(self, percent: int) -> bool:
        """Whether the traffic is still split like that; a person, or an update of the stack, may have changed it."""

    def selectors(self) -> Mapping[str, str]:
        """Label selector of the pods of `stable` and of `canary`."""

    def subject(self) -> Json:
        """What events are about."""


class RouteSplit:
    """Weights of backends in routes: HTTPRoutes, or any kind whose rules have `backendRefs` with weights.

    Args:
        routes: `path` of each, and the names of its backends `stable` and `canary`; the first holds the state.
        labels: label selectors of their pods.
    """

    def __init__(self, api: Api, routes: Sequence[Mapping[str, str]], labels: Mapping[str, str]) -> None:
        self._api, self._routes, self._labels = api, routes, labels

    def state(self) -> Json:
        return _state_of(self._api.get(self._routes[0]["path"]))

    def selectors(self) -> Mapping[str, str]:
        return self._labels

    def subject(self) -> Json:
        return _subject(self._api.get(self._routes[0]["path"]))

    def holds(self, percent: int) -> bool:
        found = [(self._api.get(route["path"]), route) for route in self._routes]
        return all(_with_weights(deepcopy(item), route, percent)["spec"]["rules"] == item["spec"]["rules"]
                   for item, route in found)  # fmt: skip

    def move(self, percent: int, state: Json) -> None:
        # The one with the state comes last: until then a killed script does the step again.
        for route in reversed(self._routes):
            own = state if route is self._routes[0] else {}
            _change(self._api, route["path"], partial(_with_weights, names=route, percent=percent), own)


def _with_weights(found: Json, names: Mapping[str, str], percent: int) -> Json:
    """The rules of a route with the weights of both versions moved; together they keep what they had."""
    rules = found["spec"]["rules"]
    for rule in rules:
        backends = {item["name"]: item for item in rule.get("backendRefs") or ()}
        stable, canary = (backends.get(names[side]) for side in ("stable", "canary"))
        if stable and canary:
            total = stable.get("weight", 1) + canary.get("weight", 1)
            if total * percent % 100:  # finer weights for all of the rule, once
                for backend in backends.values():
                    backend["weight"] = backend.get("weight", 1) * 100
                total *= 100
            stable["weight"], canary["weight"] = weights(total, percent)
    return {"spec": {"rules": rules}}


class KnativeSplit:
    """`canaryTrafficPercent` of an InferenceService in Knative mode: the latest revision against the one before.

    Args:
        path: of the InferenceService.
    """

    def __init__(self, api: Api, path: str) -> None:
        self._api, self._path = api, path

    def state(self) -> Json:
        return _state_of(self._api.get(self._path))

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

    def move(self, percent: int, state: Json) -> None:
        _change(self._api, self._path, lambda _: {"spec": {"predictor": {"canaryTrafficPercent": percent}}}, state)


def _change(api: Api, path: str, make: Any, state: Json) -> None:  # a function from an object to a patch
    """Patch what `make` makes of the object as it is now, with the state beside it."""
    for _ in range(_CONFLICTS):
        found = api.get(path)
        metadata: Json = {"resourceVersion": found["metadata"]["resourceVersion"]}
        if state:
            metadata["annotations"] = {STATE_ANNOTATION: json.dumps(state, sort_keys=True)}
        try:
            api.patch(path, {**make(found), "metadata": metadata})
        except ApiError as error:
            if error.status != 409:
                raise
        else:
            return
    raise ApiError(409, f"{path} changes all the time")


def _state_of(found: Json) -> Json:
    text = (found["metadata"].get("annotations") or {}).get(STATE_ANNOTATION, "")
    return dict(json.loads(text)) if text else {}


def _subject(found: Json) -> Json:
    metadata = found["metadata"]
    return {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        **{key: metadata[key] for key in ("namespace", "name", "uid")},
    }


class Cluster:
    """All that the script asks of the cluster.

    Args:
        namespace: of the servers.
        fixed: addresses by `stable` and `canary` where pods have none that answer, as in a simulated cluster.
    """

    def __init__(self, api: Api, split: Split, namespace: str, fixed: Mapping[str, list[str]] | None = None) -> None:
        self.api, self.split = api, split
        self._namespace, self._fixed = namespace, fixed or {}

    def servers(self, side: str, port: int) -> list[Server]:
        """Ready servers of `stable` or `canary`."""
        if side in self._fixed:
            return [Server(address, address) for address in self._fixed[side]]
        selector = quote(self.split.selectors()[side])
        pods = self.api.get(f"/api/v1/namespaces/{self._namespace}/pods?labelSelector={selector}")["items"]
        return [
            Server(pod["metadata"]["name"], f"{_host(pod['status']['podIP'])}:{port}") for pod in pods if _ready(pod)
        ]

    def say(self, reason: str, text: str, *, warning: bool = False) -> None:
        """A line in the log, and an event about what splits the traffic. An event that is refused stops nothing."""
        print(f"{reason}: {text}", flush=True)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            subject = self.split.subject()
            self.api.create(
                f"/api/v1/namespaces/{subject['namespace']}/events",
                {
                    "apiVersion": "v1",
                    "kind": "Event",
                    "metadata": {"generateName": f"{subject['name']}-canary-", "namespace": subject["namespace"]},
                    "involvedObject": subject,
                    "type": "Warning" if warning else "Normal",
                    "reason": reason,
                    "message": text[:1024],
                    "source": {"component": MANAGER},
                    "firstTimestamp": now,
                    "lastTimestamp": now,
                    "count": 1,
                },
            )
        except ApiError as error:
            print(f"no event: {error}", flush=True)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions") or ()
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"] and bool(pod["status"].get("podIP"))


def read_metrics(server: Server, path: str, names: MetricNames) -> dict[str, float] | None:
    """The counters of one server; None when it does not answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{server.address}{path}", timeout=_SECONDS) as answer:
            return reading(answer.read().decode(), names)
    except OSError:
        return None
