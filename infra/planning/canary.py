"""Whether a canary may take more traffic: pure judgement on what servers counted in a window of time.

This file is also shipped into the cluster with the script that moves the traffic, so it needs the standard library
only. All series it reads are counters: a window is the difference of two readings of one server; a server that was
started anew between them has counted from zero. Windows of several servers are added.

A quantile is read from buckets as Prometheus does (`histogram_quantile`): linear inside the bucket, the first from
zero, the last finite edge for what lies above it. vLLM's buckets are coarse (10, 25, 50 ms for the time per output
token), so where both versions end in the same bucket their means are compared, which need no buckets.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

GO_ON, WAIT, ROLL_BACK = "go on", "wait", "roll back"

# 1 in 100 of fewer is no request at all: their p99 is the slowest of them.
FEWEST_REQUESTS = 100
TTFT_QUANTILE, TPOT_QUANTILE = 0.95, 0.99

_LINE = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class MetricNames:
    """How an engine calls what is judged.

    Attributes:
        ttft, tpot: histograms in seconds: time to the first token, and a request's mean time per output token.
        finished: counter of finished requests, by `reason_label`.
        bad_reasons: reasons that are failures. An abort is one: the engine's own, or a client that gave up.
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
class Limits:
    """How much worse a canary may be.

    Attributes:
        ttft_ratio: largest p95 of the time to first token, as a multiple of the stable version's.
        tpot_ratio: the same of the p99 of the time per output token.
        error_delta: largest share of failed requests beyond the stable version's, between 0 and 1.
        min_requests: finished requests that each version needs in a window before it is judged.
        bake_seconds: shortest window.
        max_wait_seconds: longest window; then the canary is rolled back, because nobody could judge it.
    """

    ttft_ratio: float
    tpot_ratio: float
    error_delta: float
    min_requests: int
    bake_seconds: float
    max_wait_seconds: float


@dataclass(frozen=True)
class Quantile:
    """A quantile in seconds, and the upper edge of the bucket it was found in."""

    seconds: float
    edge: float


@dataclass(frozen=True)
class Window:
    """What was counted. `counts` holds plain counters: `ttft|0.25` is the bucket up to 0.25 s, `ttft|sum` the sum."""

    counts: Mapping[str, float] = field(default_factory=dict)

    @property
    def failures(self) -> float:
        """Requests that failed: aborted, in error, refused, or answered 5xx for any other reason."""
        return self.counts.get("aborted", 0) + self._server_faults

    @property
    def requests(self) -> float:
        """Requests that ended, one way or another."""
        return self.counts.get("served", 0) + self.failures

    @property
    def error_rate(self) -> float:
        """Share of requests that failed; 0 when there were none."""
        return self.failures / self.requests if self.requests else 0.0

    @property
    def _server_faults(self) -> float:
        # Errors and refusals are answered 5xx too, except in a stream that had begun: never counted twice.
        return max(self.counts.get("errors", 0) + self.counts.get("refused", 0), self.counts.get("http_5xx", 0))

    def quantile(self, name: str, quantile: float) -> Quantile | None:
        """The quantile of a histogram, `ttft` or `tpot`; None when nothing was observed."""
        cumulative = sorted(
            (float(key.partition("|")[2]), value)
            for key, value in self.counts.items()
            if key.startswith(f"{name}|") and not key.endswith(("sum", "count"))
        )
        if not cumulative or cumulative[-1][1] <= 0:
            return None
        rank, below_edge, below_count = quantile * cumulative[-1][1], 0.0, 0.0
        for edge, count in cumulative:
            if count >= rank:
                if math.isinf(edge):
                    return Quantile(below_edge, edge)
                return Quantile(below_edge + (edge - below_edge) * (rank - below_count) / (count - below_count), edge)
            below_edge, below_count = edge, count
        raise AssertionError("the last bucket holds everything")

    def mean(self, name: str) -> float:
        """Mean of a histogram in seconds; 0 when nothing was observed."""
        count = self.counts.get(f"{name}|inf", 0)
        return self.counts.get(f"{name}|sum", 0) / count if count else 0.0


@dataclass(frozen=True)
class Judgement:
    """What to do, and why, in words that fit an event."""

    decision: str
    reason: str


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


def judge(seconds: float, stable: Window, canary: Window, limits: Limits) -> Judgement:
    """Whether the canary goes on, waits or is rolled back.

    Args:
        seconds: length of the canary's window.
        stable: the stable version in the same window; in an earlier one where it has had too little traffic since.
    """
    allowed = (stable.error_rate + limits.error_delta) * max(canary.requests, limits.min_requests)
    if canary.failures > allowed:
        return Judgement(
            ROLL_BACK,
            f"{canary.failures:.0f} of {canary.requests:.0f} requests failed, at most {allowed:.1f} of"
            f" {max(canary.requests, limits.min_requests):.0f} may (stable {stable.error_rate:.2%}"
            f" + {limits.error_delta:.2%})",
        )
    few = [
        f"{name} {found.requests:.0f} of {limits.min_requests} requests"
        for name, found in (("canary", canary), ("stable", stable))
        if found.requests < limits.min_requests
    ]
    if few and seconds >= limits.max_wait_seconds:
        return Judgement(ROLL_BACK, f"too few requests in {seconds:.0f} s to be judged: {', '.join(few)}")
    if few or seconds < limits.bake_seconds:
        return Judgement(WAIT, ", ".join(few) or f"{seconds:.0f} of {limits.bake_seconds:.0f} s")
    findings = [
        _compared("ttft", TTFT_QUANTILE, limits.ttft_ratio, stable, canary),
        _compared("tpot", TPOT_QUANTILE, limits.tpot_ratio, stable, canary),
    ]
    worse = [text for text, holds in findings if not holds]
    if worse:
        return Judgement(ROLL_BACK, "; ".join(worse))
    errors = f"errors {canary.error_rate:.2%} against {stable.error_rate:.2%}"
    return Judgement(GO_ON, "; ".join([*(text for text, _ in findings), errors]))


def _compared(name: str, quantile: float, limit: float, stable: Window, canary: Window) -> tuple[str, bool]:
    """What was found, and whether it keeps the limit."""
    shown = name.upper()
    ours, theirs = canary.quantile(name, quantile), stable.quantile(name, quantile)
    if ours is None or theirs is None:
        # Requests of one token have no time per output token; nothing else explains a series that is not there.
        return f"{shown} is not in the metrics of both versions", name == "tpot" and ours is theirs
    what = f"{shown} p{quantile * 100:.0f}"
    first, second, note = ours.seconds, theirs.seconds, ""
    if ours.edge == theirs.edge:
        first, second = canary.mean(name), stable.mean(name)
        what, note = f"{shown} mean", f", p{quantile * 100:.0f} of both in the bucket up to {ours.edge:g} s"
    ratio = first / second if second else (math.inf if first else 1.0)
    text = f"{what} {first:.4f} s against {second:.4f} s: {ratio:.2f} times, limit {limit:g}{note}"
    return text, ratio <= limit


def weights(total: int, percent: int) -> tuple[int, int]:
    """Weights of stable and canary that together are `total`, the canary with `percent` of it; it never rounds to 0."""
    ours = round(total * percent / 100)
    if percent:
        ours = max(1, ours)
    return total - ours, ours


def faults_of_steps(steps: Iterable[int]) -> str:
    """What is wrong with the steps in per cent; empty when nothing is."""
    found = list(steps)
    if not found or any(not 1 <= step <= 100 for step in found):
        return "each step lies between 1 and 100"
    if sorted(set(found)) != found:
        return "each step is larger than the one before"
    if found[0] > 50:
        return "the first step is at most 50: the stable version must have requests to be compared with"
    return ""
