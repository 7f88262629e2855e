"""The API server over plain HTTPS: server-side apply, reading, deleting.

A persistent connection of the standard library, because the generated client takes 0.4 s to import and knows no custom
resources; the few verbs needed here are one HTTP request each.
"""

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from infra.errors import PlatformError

FIELD_MANAGER = "gpu-platform"

# A busy two-core machine answers an apply in milliseconds; a CRD of 300 KB within a second.
_REQUEST_SECONDS = 30.0
_ATTEMPTS = 3
# The API server opens its port a second before it answers, and never answers without etcd: short, so that a dead etcd
# is noticed.
_READY_SECONDS = 2.0

Json = dict[str, Any]


class ApiError(PlatformError):
    """The API server refused a request.

    Attributes:
        status: HTTP status code.
        reason: Kubernetes' reason word, such as `NotFound` or `Invalid`.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message, "")
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ResourceType:
    """How a kind is addressed: `plural` in the path, and whether it lives in namespaces."""

    plural: str
    namespaced: bool


class Client:
    """One user of one API server. May be used by several threads; each has its own connection.

    Args:
        port: the server's port on 127.0.0.1.
        authority: file with the CA that signed its certificate.
        token: bearer token; never shown.
    """

    def __init__(self, port: int, authority: Path, token: str) -> None:
        self._port = port
        self._token = token
        self._context = ssl.create_default_context(cafile=str(authority))
        self._threads = threading.local()
        self._types: dict[str, dict[str, ResourceType]] = {}

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def close(self) -> None:
        """Close this thread's connection; the next request opens a new one."""
        connection: http.client.HTTPSConnection | None = getattr(self._threads, "connection", None)
        if connection is not None:
            connection.close()
            self._threads.connection = None

    def get(self, path: str, **query: str) -> Json:
        """The object or list at `path`, such as `/api/v1/nodes`."""
        return self._request("GET", path, query)

    def is_ready(self) -> bool:
        """Whether the server answers that it is ready; False when nothing listens, or nobody answers, yet."""
        connection = self._connection(_READY_SECONDS)
        try:
            connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {self._token}"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def apply(self, body: Json, *, dry_run: bool = False, subresource: str = "") -> Json:
        """Server-side apply of one object with field manager `gpu-platform`; unknown fields are refused."""
        path = self.path_of(body) + (f"/{subresource}" if subresource else "")
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self._request("PATCH", path, query, body, "application/apply-patch+yaml")

    def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection at `path`."""
        return self._request("POST", path, {"fieldManager": FIELD_MANAGER}, body)

    def merge(self, path: str, body: Json) -> Json:
        """JSON merge patch of the object at `path`."""
        return self._request("PATCH", path, {"fieldManager": FIELD_MANAGER}, body, "application/merge-patch+json")

    def delete(self, path: str, *, grace_seconds: int | None = None, foreground: bool = False) -> bool:
        """Delete the object at `path` and what it owns; False when it was not there.

        Args:
            foreground: what it owns goes first, and the object stays until then; otherwise it goes at once.
        """
        options: Json = {"propagationPolicy": "Foreground" if foreground else "Background"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self._request("DELETE", path, {}, options)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def exists(self, path: str) -> bool:
        """Whether there is an object at `path`."""
        try:
            self.get(path)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def items(self, path: str, **query: str) -> list[Json]:
        """The members of the collection at `path`."""
        return list(self.get(path, **query).get("items") or [])

    def path_of(self, body: Json) -> str:
        """Path of the object that a manifest names; a namespaced object without namespace is in `default`."""
        metadata = body["metadata"]
        return self.path(str(body["apiVersion"]), str(body["kind"]), metadata.get("namespace", ""), metadata["name"])

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """Path of an object, or of its collection when `name` is empty.

        Raises:
            ApiError: with status 404 when the server does not serve that kind.
        """
        found = self.resource_type(api_version, kind)
        parts = [_root(api_version)]
        if found.namespaced and (namespace or name):
            parts += ["namespaces", quote(namespace or "default")]
        parts.append(found.plural)
        if name:
            parts.append(quote(name))
        return "/".join(parts)

    def resource_type(self, api_version: str, kind: str) -> ResourceType:
        """How `kind` of `api_version` is addressed, asked from the server once."""
        known = self._types.get(api_version, {})
        if kind not in known:
            known = self._types[api_version] = self._discover(api_version)
        if kind not in known:
            raise ApiError(404, "NotFound", f"the API server does not serve kind {kind} of {api_version}")
        return known[kind]

    def _discover(self, api_version: str) -> dict[str, ResourceType]:
        try:
            listed = self.get(_root(api_version))["resources"]
        except ApiError as error:
            if error.status == 404:
                return {}
            raise
        return {
            item["kind"]: ResourceType(item["name"], bool(item["namespaced"]))
            for item in listed
            if "/" not in item["name"]
        }

    def _request(
        self, method: str, path: str, query: Mapping[str, str], body: Json | None = None, kind: str = "application/json"
    ) -> Json:
        target = f"{path}?{urlencode(query)}" if query else path
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                status, answer = self._exchange(method, target, body, kind)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt == _ATTEMPTS:
                    raise PlatformError(
                        f"the API server at {self.server} does not answer: {error}",
                        "run `gpu-platform up` again; it starts what has ended",
                    ) from error
            else:
                if status not in {429, 503} or attempt == _ATTEMPTS:
                    return _json(status, answer)
            time.sleep(0.2 * attempt)
        raise AssertionError("the last attempt returns or raises")

    def _connection(self, seconds: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=seconds, context=self._context)

    def _exchange(self, method: str, target: str, body: Json | None, kind: str) -> tuple[int, bytes]:
        connection: http.client.HTTPSConnection | None = getattr(self._threads, "connection", None)
        if connection is None:
            connection = self._threads.connection = self._connection(_REQUEST_SECONDS)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind, "Accept": "application/json"}
        connection.request(method, target, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return response.status, response.read()


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _json(status: int, answer: bytes) -> Json:
    try:
        data: Json = json.loads(answer)
    except ValueError:
        data = {"message": answer.decode(errors="replace").strip()}
    if status < 400:
        return data
    raise ApiError(status, str(data.get("reason", "")), str(data.get("message") or f"HTTP status {status}"))


def until(deadline: float, every: float = 0.1) -> Iterator[None]:
    """Turns of a waiting loop: one at once, then one every `every` seconds, one last at the deadline.

    Args:
        deadline: on `time.monotonic`'s clock.
    """
    while True:
        last = time.monotonic() >= deadline
        yield
        if last:
            return
        time.sleep(min(every, max(0.0, deadline - time.monotonic())))


def wait_for(condition: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    """Whether `condition` became true within `seconds`."""
    return any(condition() for _ in until(time.monotonic() + seconds, every))
