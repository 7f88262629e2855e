"""Both versions as the canary script watches them: what they have counted, who is ready, and who has restarted.

Runs in the cluster with Python's standard library only, beside `script.py`.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from components.serving.canary.cluster import Cluster, read_metrics
from infra.planning.canary import MetricNames, Window, window

SIDES = ("stable", "canary")

Counts = dict[str, dict[str, float]]
Restarts = dict[str, dict[str, int]]


class Observer:
    """Looks at both versions; `begin` opens a window of time, and each `look` adds to it.

    Args:
        plan: the content of `rollout.json`.
    """

    def __init__(self, cluster: Cluster, plan: Mapping[str, Any]) -> None:
        self._cluster, self._port, self._path = cluster, plan["port"], plan["metrics_path"]
        self._names = MetricNames(**plan["metrics"])
        # The latest of every server: one that does not answer has counted what it told last.
        self._counts: dict[str, Counts] = {side: {} for side in SIDES}
        self.restarts: Restarts = {side: {} for side in SIDES}
        self.ready = dict.fromkeys(SIDES, 0)
        self.begin()

    def begin(self) -> None:
        """Open a window."""
        self._server_seconds = dict.fromkeys(SIDES, 0.0)
        self._began = self._looked = time.monotonic()
        self.look()
        self._before = {side: dict(self._counts[side]) for side in SIDES}

    def look(self) -> None:
        """Read both versions."""
        now = time.monotonic()
        for side in SIDES:
            servers = self._cluster.servers(side, self._port)
            ready = [server for server in servers if server.ready]
            for server in ready:
                counts = read_metrics(server, self._path, self._names)
                if counts is not None:
                    self._counts[side][server.name] = counts
            for server in servers:
                self.restarts[side][server.name] = server.restarts
            self.ready[side] = len(ready)
            self._server_seconds[side] += len(ready) * (now - self._looked)
        self._looked = now

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self._looked - self._began

    def window(self, side: str) -> Window:
        """What a version has counted in it."""
        return replace(window(self._before[side], self._counts[side]), server_seconds=self._server_seconds[side])

    def restarted(self, side: str, then: Mapping[str, Mapping[str, int]]) -> int:
        """How often containers of a version have restarted since they had these numbers."""
        known = then.get(side, {})
        return sum(max(0, number - known.get(name, 0)) for name, number in self.restarts[side].items())
