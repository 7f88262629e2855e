"""How many servers were ready at every moment, from a watch of the API server: polling could miss one."""

import json
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from infra.errors import PlatformError
from simulator.client import wait_for
from simulator.throwaway import Throwaway
from simulator.workloads import pod_is_ready

Json = dict[str, Any]

_BEGIN_SECONDS = 20.0


class ReadyWatch(AbstractContextManager["ReadyWatch"]):
    """Follows the pods of a namespace from the moment that `servers` of them are ready.

    Attributes:
        lowest: fewest that were ready and not on their way out since then.
        most: most pods that were there at once since then, ready or not.
    """

    def __init__(self, environment: Throwaway, namespace: str, servers: int) -> None:
        self._command = [
            *(str(environment.running.tools["kubectl"]), "--kubeconfig", str(environment.kubeconfig)),
            *("get", "pods", "--namespace", namespace, "--watch", "--output-watch-events", "--output", "json"),
        ]
        self._servers = servers
        self._ready: dict[str, bool] = {}
        self._begun = threading.Event()
        self.lowest = servers
        self.most = servers

    def __enter__(self) -> "ReadyWatch":
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._reader = threading.Thread(target=self._follow, args=(self._process.stdout or (),), daemon=True)
        self._reader.start()
        if not wait_for(self._begun.is_set, _BEGIN_SECONDS):
            self._stop()
            raise PlatformError(f"a watch of the pods did not see {self._servers} of them ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        followed = self._process.poll() is None and self._reader.is_alive()
        self._stop()
        if error is None and not followed:
            # Nobody looked any more: what was seen until then proves nothing of the rest.
            raise PlatformError("the watch of the pods ended before the scenario did", "run it again")

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)

    def _follow(self, stream: Iterable[str]) -> None:
        for event in documents(stream):
            pod = event["object"]
            name = pod["metadata"]["name"]
            if event["type"] == "DELETED":
                self._ready.pop(name, None)
            else:
                self._ready[name] = pod_is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
            ready = sum(self._ready.values())
            if self._begun.is_set():
                self.lowest = min(self.lowest, ready)
                self.most = max(self.most, len(self._ready))
            elif ready >= self._servers:
                self._begun.set()


def documents(stream: Iterable[str]) -> Iterator[Json]:
    """The JSON documents of a stream, each as soon as it is whole, on one line or on many."""
    decoder, text = json.JSONDecoder(), ""
    for line in stream:
        text += line
        # Only the line that ends a document can begin with a brace; within one, kubectl indents.
        if line.startswith(("{", "}")) and line.rstrip().endswith("}"):
            document, end = decoder.raw_decode(text)
            yield document
            text = text[end:].lstrip()
