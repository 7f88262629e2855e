"""The judgement of a canary: what is read from metrics, and what follows from it."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.planning.canary import (
    GO_ON,
    METRICS,
    ROLL_BACK,
    WAIT,
    Limits,
    Window,
    faults_of_steps,
    judge,
    reading,
    weights,
    window,
)
from simulator.engine_stand_in.exposition import TPOT_BUCKETS, Histogram, Metrics

NAMES = METRICS["vllm"]
LIMITS = Limits(1.2, 1.2, 0.01, min_requests=200, bake_seconds=60, max_wait_seconds=600)


def counted(
    requests: int, *, ttft: float = 0.2, tpot: float = 0.02, slow: int = 0, slow_tpot: float = 0.09, **ends: int
) -> Window:
    """What a server counts for that many requests, of which `slow` take `slow_tpot` a token."""
    metrics = Metrics("m")
    for number in range(requests):
        metrics.observe("time_to_first_token", ttft)
        metrics.observe("request_time_per_output_token", slow_tpot if number < slow else tpot)
    for reason, number in ends.items():
        metrics.count("request_success", reason, by=number)
    metrics.count("request_success", "stop", by=requests - sum(ends.values()))
    return window({}, {"server": reading(metrics.text(), NAMES)})


def decided(canary: Window, stable: Window | None = None, seconds: float = 100, limits: Limits = LIMITS) -> str:
    return judge(seconds, stable or counted(1000), canary, limits).decision


def test_an_equal_version_goes_on() -> None:
    found = judge(100, counted(1000), counted(300), LIMITS)

    assert found.decision == GO_ON
    assert "TPOT mean 0.0200 s against 0.0200 s: 1.00 times, limit 1.2" in found.reason


@pytest.mark.parametrize(
    ("canary", "reason"),
    [
        (counted(300, slow=9), "TPOT p99"),  # 3 % of requests, four times as slow; the mean is hardly moved
        (counted(300, tpot=0.0245), "TPOT mean 0.0245 s against 0.0200 s: 1.23 times"),  # inside one bucket
        (counted(300, ttft=0.6), "TTFT p95"),
        (counted(300, error=9), "9 of 300 requests failed"),
        (counted(300, abort=9), "9 of 300 requests failed"),
    ],
)
def test_a_worse_version_is_rolled_back_with_the_number(canary: Window, reason: str) -> None:
    found = judge(100, counted(1000), canary, LIMITS)

    assert found.decision == ROLL_BACK
    assert reason in found.reason


def test_what_clients_abort_of_both_versions_is_no_fault_of_the_canary() -> None:
    assert decided(counted(300, abort=30), counted(1000, abort=100)) == GO_ON


def test_too_few_requests_wait_and_are_rolled_back_in_the_end() -> None:
    assert decided(counted(199)) == WAIT
    assert decided(counted(300), counted(199)) == WAIT
    found = judge(600, counted(1000), counted(199), LIMITS)
    assert (found.decision, "canary 199 of 200" in found.reason) == (ROLL_BACK, True)


def test_the_shortest_time_is_waited_for_unless_it_fails_already() -> None:
    assert decided(counted(300), seconds=59) == WAIT
    # Three failures are more than the 2 of 200 that would be let pass, whatever the other 180 requests do.
    assert decided(counted(20, error=3), seconds=1) == ROLL_BACK
    assert decided(counted(20, error=2), seconds=1) == WAIT


def test_a_version_that_renamed_its_metrics_does_not_pass() -> None:
    silent = Window({"served": 300})

    assert decided(silent) == ROLL_BACK
    assert "TTFT is not in the metrics" in judge(100, counted(1000), silent, LIMITS).reason


def test_failures_are_never_counted_twice() -> None:
    # An error that was answered 500, one inside a stream (200), a refusal (503), and a 500 before the engine.
    text = "\n".join(
        [
            'vllm:request_success_total{finished_reason="error"} 2.0',
            'vllm:request_success_total{finished_reason="stop"} 10.0',
            'vllm:admission_rejections_total{reason="max_num_queued_reqs"} 1.0',
            'http_requests_total{handler="/v1/completions",method="POST",status="5xx"} 4.0',
        ]
    )
    found = window({}, {"a": reading(text, NAMES)})

    assert (found.failures, found.requests) == (4, 14)


def test_windows_of_servers_that_come_start_anew_and_go() -> None:
    before = {"old": {"served": 100.0}, "restarted": {"served": 50.0}, "gone": {"served": 7.0}}
    after = {"old": {"served": 130.0}, "restarted": {"served": 5.0}, "new": {"served": 2.0}}

    assert window(before, after).requests == 30 + 5 + 2


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_that_holds_it(seconds: list[float], quantile: float) -> None:
    histogram = Histogram(TPOT_BUCKETS)
    for value in seconds:
        histogram.observe(value)
    counts: Mapping[str, float] = {f"tpot|{float(edge)}": number for edge, number in histogram.cumulative()}
    found = Window(counts).quantile("tpot", quantile)

    assert found is not None
    true = sorted(seconds)[max(0, math.ceil(quantile * len(seconds) - 1e-9) - 1)]
    edges = [0.0, *TPOT_BUCKETS, math.inf]
    below = max(edge for edge in edges if edge < found.edge)
    assert below <= true <= found.edge or true == 0
    assert below <= found.seconds <= min(found.edge, TPOT_BUCKETS[-1])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 1_000_000), st.integers(0, 100))
def test_weights_keep_their_sum_and_never_round_a_share_away(total: int, percent: int) -> None:
    stable, canary = weights(total, percent)

    assert stable + canary == total
    assert (canary > 0) == (percent > 0)
    assert abs(canary - total * percent / 100) <= 1


def test_steps_that_cannot_be_judged() -> None:
    assert faults_of_steps([10, 25, 50, 100]) == ""
    assert "larger" in faults_of_steps([10, 10])
    assert "between 1 and 100" in faults_of_steps([])
    assert "at most 50" in faults_of_steps([100])
