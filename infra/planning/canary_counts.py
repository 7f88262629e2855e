"""What servers of a canary and of its stable version count: read from their metrics, as differences over a time.

This file is also shipped into the cluster, so it needs the standard library only. All series it reads are counters: a
window is the difference of two readings of one server; a server that was started anew between them has counted from
zero. Windows of several servers are added.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.planning.canary_statistics import Histogram

_LINE = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class MetricNames:
    """How an engine calls what is judged.

    Attributes:
        ttft, tpot: histograms in seconds: time to the first token, and a request's mean time per output token.
        finished: counter of finished requests, by `reason_label`.
        bad_reasons: reasons that are no success; an abort is counted apart: a client gave up, or the engine did.
        rejections: counter of requests refused before the engine; empty where there is none.
        http: counter of HTTP answers with a `status` such as 5xx; empty where there is none.
    """

    ttft: str
    tpot: str
    finished: str
    reason_label: str
    bad_reasons: tuple[str, ...]
    rejections: str = ""
    http: str = ""


# vLLM 0.33.0: v1/metrics/loggers.py, v1/engine/__init__.py, entrypoints/serve/instrumentator/metrics.py.
METRICS = {
    "vllm": MetricNames(
        ttft="vllm:time_to_first_token_seconds",
        tpot="vllm:request_time_per_output_token_seconds",
        finished="vllm:request_success_total",
        reason_label="finished_reason",
        bad_reasons=("abort", "error"),
        rejections="vllm:admission_rejections_total",
        http="http_requests_total",
    )
}


@dataclass(frozen=True)
class Window:
    """What was counted in a time.

    Attributes:
        counts: plain counters: `ttft|0.25` is the bucket up to 0.25 s, `ttft|sum` the sum.
        server_seconds: for how long each ready server counted, added up.
    """

    counts: Mapping[str, float] = field(default_factory=dict)
    server_seconds: float = 0.0

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Window":
        """From its content as `kept` gives it."""
        return cls(dict(kept.get("counts", {})), float(kept.get("server_seconds", 0)))

    @property
    def kept(self) -> dict[str, Any]:
        """Its content as JSON has it."""
        counts = {key: round(value, 6) for key, value in self.counts.items()}
        return {"counts": counts, "server_seconds": round(self.server_seconds, 3)}

    @property
    def failures(self) -> float:
        """Requests that failed: in error, refused, or answered 5xx for any other reason."""
        # Errors and refusals are answered 5xx too, except in a stream that had begun: never counted twice.
        return max(self.counts.get("errors", 0) + self.counts.get("refused", 0), self.counts.get("http_5xx", 0))

    @property
    def aborts(self) -> float:
        """Requests that were aborted: mostly by clients that gave up or went away."""
        return self.counts.get("aborted", 0)

    @property
    def requests(self) -> float:
        """Requests that ended, one way or another."""
        return self.counts.get("served", 0) + self.aborts + self.failures

    @property
    def load(self) -> float:
        """Requests per second of each server; 0 when nobody was there to count."""
        return self.requests / self.server_seconds if self.server_seconds else 0.0

    def histogram(self, name: str) -> Histogram | None:
        """The histogram `ttft` or `tpot`; None when nothing was observed."""
        cumulative = sorted(
            (float(key.partition("|")[2]), value)
            for key, value in self.counts.items()
            if key.startswith(f"{name}|") and not key.endswith("sum")
        )
        if not cumulative or cumulative[-1][1] <= 0:
            return None
        return Histogram(tuple(cumulative), self.counts.get(f"{name}|sum", 0.0))


def reading(text: str, names: MetricNames) -> dict[str, float]:
    """The counters of one server, from its metrics in Prometheus' text format; series with other labels are added."""
    counts: dict[str, float] = {}

    def add(key: str, value: float) -> None:
        counts[key] = counts.get(key, 0) + value

    for line in text.splitlines():
        match = None if line.startswith("#") else _LINE.fullmatch(line.strip())
        if not match:
            continue
        name, labels, value = match["name"], dict(_LABEL.findall(match["labels"] or "")), float(match["value"])
        if name == names.finished:
            reason = labels.get(names.reason_label, "")
            bad = {"abort": "aborted"}.get(reason, "errors")
            add(bad if reason in names.bad_reasons else "served", value)
        elif names.rejections and name == names.rejections:
            add("refused", value)
        elif names.http and name == names.http and labels.get("status", "").startswith("5"):
            add("http_5xx", value)
        for key, metric in (("ttft", names.ttft), ("tpot", names.tpot)):
            if name == f"{metric}_bucket":
                add(f"{key}|{float(labels['le'])}", value)
            elif name == f"{metric}_sum":
                add(f"{key}|sum", value)
    return counts


def window(before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]) -> Window:
    """What servers counted between two readings, each by the server's name.

    A server that is only in `after` is new, one whose counters fell was started anew: both counted from zero. What a
    server counted that is only in `before` is lost with it.
    """
    total: dict[str, float] = {}
    for server, counts in after.items():
        first = before.get(server, {})
        if any(value < first.get(key, 0) for key, value in counts.items()):
            first = {}
        for key, value in counts.items():
            total[key] = total.get(key, 0) + value - first.get(key, 0)
    return Window(total)
