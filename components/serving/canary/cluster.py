"""The cluster as the canary script sees it: the API server, who serves, and what servers count.

Runs in the cluster with Python's standard library only, beside `script.py`.
"""

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from infra.planning.canary import MetricNames, reading

Json = dict[str, Any]

MANAGER = "gpu-platform-canary"
_SECONDS = 10.0
# What a connection that breaks off, or an answer that is none, ends in: HTTPException is no OSError.
BROKEN = (OSError, http.client.HTTPException, ValueError)


class ApiError(Exception):
    """The API server refused a request, or did not answer (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def said(error: urllib.error.HTTPError) -> str:
    """The body of an answer that refuses; empty when it breaks off."""
    try:
        return error.read().decode(errors="replace")
    except BROKEN:
        return ""


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
            raise ApiError(error.code, f"{method} {path}: {said(error)[:500]}") from None
        except BROKEN as error:
            raise ApiError(0, f"{method} {path}: {error}") from None


@dataclass(frozen=True)
class Server:
    """One server: its name, host and port of its metrics, and how often its containers have restarted."""

    name: str
    address: str
    ready: bool = True
    restarts: int = 0


class Subject(Protocol):
    """What the cluster asks of a split of traffic (`splits.py`)."""

    def selectors(self) -> Mapping[str, str]:
        """Label selector of the pods of `stable` and of `canary`."""

    def subject(self) -> Json:
        """What events are about."""


class Cluster:
    """All that the script asks of the cluster.

    Args:
        namespace: of the servers.
        fixed: addresses by `stable` and `canary` where pods have none that answer, as in a simulated cluster.
    """

    def __init__(self, api: Api, split: Subject, namespace: str, fixed: Mapping[str, list[str]] | None = None) -> None:
        self.api, self.split = api, split
        self._namespace, self._fixed = namespace, fixed or {}

    def servers(self, side: str, port: int) -> list[Server]:
        """Servers of `stable` or `canary`, also those that are not ready; one that is about to go is left out."""
        if side in self._fixed:
            return [Server(address, address) for address in self._fixed[side]]
        selector = quote(self.split.selectors()[side])
        pods = self.api.get(f"/api/v1/namespaces/{self._namespace}/pods?labelSelector={selector}")["items"]
        return [_server(pod, port) for pod in pods if "deletionTimestamp" not in pod["metadata"]]

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


def _server(pod: Json, port: int) -> Server:
    status = pod.get("status", {})
    conditions, address = status.get("conditions") or (), status.get("podIP") or ""
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
    restarts = sum(item.get("restartCount", 0) for item in status.get("containerStatuses") or ())
    return Server(pod["metadata"]["name"], f"{_host(address)}:{port}", ready and bool(address), restarts)


def read_metrics(server: Server, path: str, names: MetricNames) -> dict[str, float] | None:
    """The counters of one server; None when it does not answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{server.address}{path}", timeout=_SECONDS) as answer:
            return reading(answer.read().decode(), names)
    except BROKEN:
        return None
