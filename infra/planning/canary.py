"""Whether a canary may take more traffic: pure judgement on what servers counted in a window of time.

This file is also shipped into the cluster with the script that moves the traffic, so it needs the standard library
only.

A canary is rolled back on evidence: each comparison has a level, the chance that it finds something in two versions
that are the same (`canary_statistics`). It is made once, at the end of a step; what is looked at meanwhile is judged
at that level divided by the number of looks. What can be neither shown nor excluded is told as undecided.

Latency depends on load. So the canary is compared with a window in which the stable version had about as many requests
per server, or more: that of the same time, else the one with the most, mostly before the canary had any traffic.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infra.planning.canary_counts import METRICS, MetricNames, Window, reading, window
from infra.planning.canary_statistics import Histogram, chance_of_more, mean_is_larger, tail_is_longer

__all__ = [
    "FEWEST_REQUESTS",
    "GO_ON",
    "METRICS",
    "ROLL_BACK",
    "WAIT",
    "Judgement",
    "Limits",
    "MetricNames",
    "Window",
    "faults_of_steps",
    "gross_fault",
    "judge",
    "judge_before",
    "nearest_steps",
    "reading",
    "weights",
    "window",
]

GO_ON, WAIT, ROLL_BACK = "go on", "wait", "roll back"

# 1 in 100 of fewer is no request at all: their p99 is the slowest of them.
FEWEST_REQUESTS = 100
TTFT_QUANTILE, TPOT_QUANTILE = 0.95, 0.99
# Chance of each comparison to find a fault that is none. Four steps with eight comparisons each come to 3.2 % at most,
# were every true difference as large as its limit; of versions that are the same far fewer are rolled back
# (tests/serving/test_canary_odds.py measures it).
LEVEL = 0.001
# A window of the stable version with less than this part of the canary's load says nothing of its latency.
_LEAST_LOAD = 0.8
_LARGEST_FIRST_STEP = 50


@dataclass(frozen=True)
class Limits:
    """How much worse a canary may be.

    Attributes:
        ttft_ratio: largest p95 of the time to first token, and largest mean, as a multiple of the stable version's.
        tpot_ratio: the same of the p99 of the time per output token.
        error_delta: largest share of failed requests beyond the stable version's, between 0 and 1.
        abort_delta: the same of aborted requests.
        min_requests: finished requests that each version needs in a window before it is judged.
        bake_seconds: shortest window.
        max_wait_seconds: longest window; then the canary is rolled back, because nobody could judge it.
        looks: how often it is looked at in the longest window.
    """

    ttft_ratio: float
    tpot_ratio: float
    error_delta: float
    abort_delta: float
    min_requests: int
    bake_seconds: float
    max_wait_seconds: float
    looks: int = 1


@dataclass(frozen=True)
class Judgement:
    """What to do, and why, in words that fit an event."""

    decision: str
    reason: str


def gross_fault(canary: Window, stables: Sequence[Window], limits: Limits) -> str:
    """What is so bad that nobody waits for the end of the step; empty when nothing is.

    Args:
        stables: windows of the stable version: of the same time, and of the time in which it had the most load.
    """
    return _requests_that_ended_badly(canary, _judged(stables, limits) or stables, limits, LEVEL / limits.looks)[0]


def judge_before(seconds: float, stable: Window, limits: Limits) -> Judgement:
    """Whether the stable version has been seen long enough, before the canary has any traffic."""
    waiting = _missing(seconds, (("stable", stable),), limits)
    return waiting or Judgement(GO_ON, f"{stable.requests:.0f} requests of the stable version are counted")


def judge(seconds: float, canary: Window, stables: Sequence[Window], limits: Limits) -> Judgement:
    """Whether the canary goes on, waits or is rolled back at the end of a step.

    Args:
        seconds: length of the canary's window.
        stables: windows of the stable version: of the same time, and of the time in which it had the most load.
    """
    fault = gross_fault(canary, stables, limits)
    if fault:
        return Judgement(ROLL_BACK, fault)
    enough = _judged(stables, limits)
    most = max(stables, key=lambda found: found.requests, default=Window())
    waiting = _missing(seconds, (("canary", canary), ("stable", most)), limits)
    if waiting:
        return waiting
    fault, text = _requests_that_ended_badly(canary, enough, limits, LEVEL)
    stable, comparable = _like_loaded(canary, enough)
    findings = [
        _compared("ttft", TTFT_QUANTILE, limits.ttft_ratio, stable, canary, comparable=comparable),
        _compared("tpot", TPOT_QUANTILE, limits.tpot_ratio, stable, canary, comparable=comparable),
    ]
    worse = [fault] if fault else []
    worse += [said for said, holds in findings if not holds]
    if worse:
        return Judgement(ROLL_BACK, "; ".join(worse))
    loads = f"at {canary.load:.3g} requests/s a server against {stable.load:.3g}"
    return Judgement(GO_ON, "; ".join([*(said for said, _ in findings), text, loads]))


def _judged(stables: Sequence[Window], limits: Limits) -> list[Window]:
    return [found for found in stables if found.requests >= limits.min_requests]


def _missing(seconds: float, windows: Iterable[tuple[str, Window]], limits: Limits) -> Judgement | None:
    """That there is too little to judge by yet, or for good."""
    few = ", ".join(
        f"{name} {found.requests:.0f} of {limits.min_requests} requests"
        for name, found in windows
        if found.requests < limits.min_requests
    )
    if few and seconds >= limits.max_wait_seconds:
        return Judgement(ROLL_BACK, f"too few requests in {seconds:.0f} s to be judged: {few}")
    if few or seconds < limits.bake_seconds:
        return Judgement(WAIT, few or f"{seconds:.0f} of {limits.bake_seconds:.0f} s")
    return None


def _like_loaded(canary: Window, stables: Sequence[Window]) -> tuple[Window, bool]:
    """The stable window to compare with, and whether its load per server is near enough to the canary's or above.

    The one of the same time comes first: it had the same prompts.
    """
    near = [found for found in stables if found.load >= _LEAST_LOAD * canary.load]
    return (near[0], True) if near else (max(stables, key=lambda found: found.load), False)


def _requests_that_ended_badly(
    canary: Window, stables: Sequence[Window], limits: Limits, level: float
) -> tuple[str, str]:
    """What is wrong with errors or aborts, empty when nothing is, and what was found of both."""
    faults, texts = [], []
    for what, delta in (("failures", limits.error_delta), ("aborts", limits.abort_delta)):
        # The window in which the stable version did worst: at full load it may refuse requests too.
        stable = max(stables, key=lambda found: _share(found, what), default=Window())
        bad, there = getattr(canary, what), getattr(stable, what)
        text = f"{what} {bad:.0f} of {canary.requests:.0f} against {there:.0f} of {stable.requests:.0f}"
        allowed = min(there + delta * stable.requests, stable.requests)
        if chance_of_more(bad, canary.requests, allowed, stable.requests) < level:
            faults.append(f"{text}, limit {delta:.2%} more")
        elif _share(canary, what) > _share(stable, what) + delta:
            text += f" (undecided: more than {delta:.2%} more, but that may be chance)"
        texts.append(text)
    return "; ".join(faults), "; ".join(texts)


def _share(found: Window, what: str) -> float:
    return getattr(found, what) / found.requests if found.requests else 0.0


def _compared(
    name: str, share: float, limit: float, stable: Window, canary: Window, *, comparable: bool
) -> tuple[str, bool]:
    """What was found of a histogram, and whether it keeps the limit."""
    shown = name.upper()
    ours, theirs = canary.histogram(name), stable.histogram(name)
    if ours is None or theirs is None:
        # Requests of one token have no time per output token; nothing else explains a series that is not there.
        return f"{shown} is not in the metrics of both versions", name == "tpot" and ours is theirs
    text = (
        f"{shown} p{share * 100:.0f} {ours.quantile(share):.4f} s against {theirs.quantile(share):.4f} s,"
        f" mean {ours.mean:.4f} s against {theirs.mean:.4f} s, limit {limit:g} times"
    )
    worse = tail_is_longer(ours, theirs, share, limit, LEVEL) or mean_is_larger(ours, theirs, limit, LEVEL)
    if worse and comparable:
        return text, False
    if worse:
        return f"{text} (undecided: the stable version never had that load, it had {stable.load:.3g} a server)", True
    return text + _undecided(ours, theirs, share, limit), True


def _undecided(ours: Histogram, theirs: Histogram, share: float, limit: float) -> str:
    """That the buckets allow a quantile beyond the limit; empty when they do not."""
    (low, high), (low_there, high_there) = ours.bounds(share), theirs.bounds(share)
    if high <= limit * low_there:
        return ""
    return (
        f" (p{share * 100:.0f} undecided: by the buckets between {low:g} and {high:g} s against {low_there:g} and"
        f" {high_there:g} s)"
    )


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
    if found[0] > _LARGEST_FIRST_STEP:
        return f"the first step is at most {_LARGEST_FIRST_STEP}: the stable version needs requests to be compared with"
    return ""


def nearest_steps(steps: Iterable[int]) -> list[int]:
    """Steps without fault that are near to these: in order, each once, between 1 and 100, with one at the beginning
    that leaves the stable version requests."""
    found = sorted({min(100, max(1, step)) for step in steps}) or [10, 25, 50, 100]
    return found if found[0] <= _LARGEST_FIRST_STEP else [_LARGEST_FIRST_STEP, *found]
