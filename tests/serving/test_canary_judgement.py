"""The judgement of a canary: what is read from metrics, and what follows from it."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.planning.canary import (
    GO_ON,
    METRICS,
    ROLL_BACK,
    WAIT,
    Judgement,
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
LIMITS = Limits(1.2, 1.2, 0.01, 0.05, min_requests=200, bake_seconds=60, max_wait_seconds=600, looks=60)


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
    return loaded(window({}, {"server": reading(metrics.text(), NAMES)}), requests)


def loaded(found: Window, server_seconds: float) -> Window:
    return replace(found, server_seconds=server_seconds)


def judged(canary: Window, *stables: Window, seconds: float = 100) -> Judgement:
    return judge(seconds, canary, stables or [counted(1000)], LIMITS)


def decided(canary: Window, *stables: Window, seconds: float = 100) -> str:
    return judged(canary, *stables, seconds=seconds).decision


def test_an_equal_version_goes_on() -> None:
    found = judged(counted(300))

    assert found.decision == GO_ON
    assert "mean 0.0200 s against 0.0200 s, limit 1.2 times" in found.reason


@pytest.mark.parametrize(
    ("canary", "reason"),
    [
        (counted(300, slow=9), "TPOT p99"),  # 3 % of requests, four times as slow; the mean is hardly moved
        (counted(300, slow=15, slow_tpot=0.06), "TPOT p99"),  # one bucket further
        (counted(900, tpot=0.0249), "mean 0.0249 s against 0.0200 s"),  # inside one bucket
        (counted(300, ttft=0.6), "TTFT p95"),
        (counted(300, error=18), "failures 18 of 300 against 0 of 1000, limit 1.00% more"),
        (counted(300, abort=45), "aborts 45 of 300 against 0 of 1000, limit 5.00% more"),
    ],
)
def test_a_worse_version_is_rolled_back_with_the_number(canary: Window, reason: str) -> None:
    found = judged(canary)

    assert found.decision == ROLL_BACK
    assert reason in found.reason


def test_aborts_are_no_errors() -> None:
    found = judged(counted(300, abort=12))

    assert found.decision == GO_ON  # as errors these 4 % would be too many
    assert counted(300, abort=12).failures == 0


def test_more_failures_that_may_be_chance_are_told_as_undecided() -> None:
    found = judged(counted(300, error=6))

    assert found.decision == GO_ON
    assert "failures 6 of 300 against 0 of 1000 (undecided" in found.reason


def test_what_the_buckets_cannot_show_is_told_as_undecided() -> None:
    # 5 % of the requests go from 26 to 49 ms: both lie between the edges 25 and 50, and the mean moves by 4 %.
    found = judged(counted(1000, tpot=0.026, slow=50, slow_tpot=0.049), counted(1000, tpot=0.026))

    assert found.decision == GO_ON
    assert "p99 undecided: by the buckets between 0.025 and 0.05 s against 0.025 and 0.05 s" in found.reason
    # The mean shows it where more of them do.
    assert decided(counted(1000, tpot=0.026, slow=300, slow_tpot=0.049), counted(1000, tpot=0.026)) == ROLL_BACK


def test_a_version_that_crosses_an_edge_by_little_goes_on() -> None:
    assert decided(counted(1000, tpot=0.0255), counted(1000, tpot=0.0245)) == GO_ON


# Identical versions: 22 ms a token at half of the load of a server, 30 ms at all of it.
HALF, FULL = loaded(counted(1000, tpot=0.022), 200), loaded(counted(1000, tpot=0.030), 100)


def test_versions_are_compared_at_equal_requests_per_server() -> None:
    alone = loaded(counted(0), 100)  # the stable version while the canary has all
    assert decided(FULL, alone, FULL) == GO_ON
    assert "at 10 requests/s a server against 10" in judged(FULL, alone, FULL).reason
    assert decided(HALF, HALF, FULL) == GO_ON
    # As slow at half of the load as the other at all of it: the window of the same time shows it.
    assert decided(loaded(FULL, 200), HALF, FULL) == ROLL_BACK


def test_a_load_that_the_stable_version_never_had_is_no_fault_of_the_canary() -> None:
    found = judged(FULL, HALF)

    assert found.decision == GO_ON
    assert "undecided: the stable version never had that load, it had 5 a server" in found.reason


def test_what_clients_abort_of_both_versions_is_no_fault_of_the_canary() -> None:
    assert decided(counted(300, abort=30), counted(1000, abort=100)) == GO_ON


def test_too_few_requests_wait_and_are_rolled_back_in_the_end() -> None:
    assert decided(counted(199)) == WAIT
    assert decided(counted(300), counted(199)) == WAIT
    found = judged(counted(199), seconds=600)
    assert (found.decision, "canary 199 of 200" in found.reason) == (ROLL_BACK, True)


def test_the_shortest_time_is_waited_for_unless_it_fails_already() -> None:
    assert decided(counted(300), seconds=59) == WAIT
    # Half of the first requests is no chance, a tenth may be.
    assert decided(counted(20, error=10), seconds=1) == ROLL_BACK
    assert decided(counted(20, error=2), seconds=1) == WAIT


def test_a_version_that_renamed_its_metrics_does_not_pass() -> None:
    silent = Window({"served": 300})

    assert decided(silent) == ROLL_BACK
    assert "TTFT is not in the metrics" in judged(silent).reason


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


@settings(max_examples=60)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_that_holds_it(seconds: list[float], quantile: float) -> None:
    histogram = Histogram(TPOT_BUCKETS)
    for value in seconds:
        histogram.observe(value)
    counts: Mapping[str, float] = {f"tpot|{float(edge)}": number for edge, number in histogram.cumulative()}
    histogram_of_it = Window({**counts, "tpot|sum": sum(seconds)}).histogram("tpot")

    assert histogram_of_it is not None
    found, (below, edge) = histogram_of_it.quantile(quantile), histogram_of_it.bounds(quantile)
    true = sorted(seconds)[max(0, math.ceil(quantile * len(seconds) - 1e-9) - 1)]
    assert below <= true <= (edge if edge in TPOT_BUCKETS else math.inf) or true == 0
    assert below <= found <= edge
    # What the density adds leaves the mean as it is, where the buckets allow it.
    if max(seconds) <= TPOT_BUCKETS[-1]:
        guessed = sum(item.count * item.mean(histogram_of_it.rate) for item in histogram_of_it.buckets)
        assert guessed == pytest.approx(sum(seconds), rel=1e-3, abs=1e-3 * len(seconds))


@settings(max_examples=60)
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
