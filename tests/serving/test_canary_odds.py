"""How often the judgement of a canary errs: seeded simulations by the settings' defaults."""

import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

import pytest

from infra.planning.canary import ROLL_BACK, WAIT, Limits, Window, judge
from infra.settings.canary import CanaryLimits, CanarySettings
from simulator.engine_stand_in.exposition import TPOT_BUCKETS, TTFT_BUCKETS

POLL_SECONDS, PER_SECOND, SERVERS = 10, 10, 2
DEFAULTS, ALLOWED = CanarySettings(), CanaryLimits()
LIMITS = Limits(
    ALLOWED.ttft_ratio,
    ALLOWED.tpot_ratio,
    ALLOWED.error_delta,
    ALLOWED.abort_delta,
    DEFAULTS.min_requests,
    DEFAULTS.bake_seconds,
    DEFAULTS.max_wait_seconds,
    DEFAULTS.max_wait_seconds // POLL_SECONDS,
)
# Times that are the same for both: only failures are judged.
SAME_TIMES = {f"{name}|{edge}": 1.0 for name in ("ttft", "tpot") for edge in (0.05, math.inf)}
SAME_TIMES |= {"ttft|sum": 0.02, "tpot|sum": 0.02}

Rates = tuple[float, float]  # shares of errors and of aborts


def some(chance: random.Random, number: int, share: float) -> int:
    """How many of that number it strikes, each with that probability: from one that is struck to the next."""
    found, place = -1, -1
    while place < number:
        found += 1
        place += 1 + int(math.log(1 - chance.random()) / math.log1p(-share)) if share else number + 1
    return found


def counted(chance: random.Random, requests: int, rates: Rates, seconds: float) -> Window:
    errors, aborts = (some(chance, requests, rate) for rate in rates)
    served = requests - errors - aborts
    return Window({"served": served, "errors": errors, "aborted": aborts, **SAME_TIMES}, seconds * SERVERS)


def added(first: Window, second: Window) -> Window:
    counts = {key: first.counts.get(key, 0) + value for key, value in second.counts.items()} | SAME_TIMES
    return Window(counts, first.server_seconds + second.server_seconds)


def rolled_back(seed: int, canary: Rates, stable: Rates, steps: Sequence[int] = DEFAULTS.steps) -> bool:
    """Whether a rollout is rolled back, looked at every ten seconds."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    before = counted(chance, PER_SECOND * DEFAULTS.bake_seconds, stable, DEFAULTS.bake_seconds)
    for percent in steps:
        ours, theirs, decision = Window(), Window(), WAIT
        seconds = 0
        while decision == WAIT:
            seconds += POLL_SECONDS
            share = some(chance, PER_SECOND * POLL_SECONDS, percent / 100 - 1e-9)
            ours = added(ours, counted(chance, share, canary, POLL_SECONDS))
            theirs = added(theirs, counted(chance, PER_SECOND * POLL_SECONDS - share, stable, POLL_SECONDS))
            decision = judge(seconds, ours, [theirs, before], LIMITS).decision
        if decision == ROLL_BACK:
            return True
    return False


def test_identical_versions_are_rolled_back_less_than_once_in_a_hundred_rollouts() -> None:
    # 10 requests a second, all four steps, whatever share of the requests fails or is aborted.
    same = [(0.01, 0.0), (0.1, 0.0), (0.0, 0.01), (0.0, 0.1), (0.02, 0.2)]
    wrong = sum(rolled_back(seed, rates, rates) for seed in range(25) for rates in same)

    assert wrong <= len(same) * 25 // 100


# Of versions that fail rarely the first step shows it; at 5 % against 10 % it takes the requests of all steps.
@pytest.mark.parametrize(("stable", "steps"), [(0.0, 1), (0.01, 1), (0.05, 4)])
def test_five_per_cent_more_failures_are_found_nineteen_times_in_twenty(stable: float, steps: int) -> None:
    shares = DEFAULTS.steps[:steps]
    found = sum(rolled_back(seed, (stable + 0.05, 0.0), (stable, 0.0), shares) for seed in range(60))

    assert found >= 57


def test_a_version_that_answers_nothing_is_found_in_the_first_minute() -> None:
    chance = random.Random(1)  # noqa: S311
    before = counted(chance, 6000, (0.01, 0.0), 600)
    ours, theirs = counted(chance, 6, (0.999999, 0.0), 10), counted(chance, 54, (0.01, 0.0), 10)

    assert judge(10, ours, [theirs, before], LIMITS).decision == ROLL_BACK


def timed(chance: random.Random, requests: int, slower: float = 1.0, tail: float = 0.0) -> Window:
    """Log-normal times; the p99 of the time per output token is about 50 ms, so on either side of an edge by chance.

    Args:
        slower: every request takes so many times as long.
        tail: share of requests that take three times as long.
    """
    counts: dict[str, float] = {"served": requests}
    for name, typical, edges in (("ttft", 0.2, TTFT_BUCKETS), ("tpot", 0.0243, TPOT_BUCKETS)):
        times = [typical * slower * chance.lognormvariate(0, 0.31) for _ in range(requests)]
        times = [seconds * (3 if chance.random() < tail else 1) for seconds in times]
        numbers = [0] * (len(edges) + 1)
        for seconds in times:
            numbers[bisect_left(edges, seconds)] += 1
        counts |= {f"{name}|{float(e)}": n for e, n in zip([*edges, "inf"], accumulate(numbers), strict=True)}
        counts[f"{name}|sum"] = sum(times)
    return Window(counts, requests / 5)


def share_rolled_back(canary: int, stable: int, **worse: float) -> float:
    chance = random.Random(canary)  # noqa: S311
    runs = 40
    verdicts = (
        judge(DEFAULTS.bake_seconds, timed(chance, canary, **worse), [timed(chance, stable)], LIMITS).decision
        for _ in range(runs)
    )
    return sum(decision == ROLL_BACK for decision in verdicts) / runs


@pytest.mark.parametrize(("canary", "stable"), [(500, 4500), (500, 500)])
def test_identical_times_are_never_found_worse(canary: int, stable: int) -> None:
    assert share_rolled_back(canary, stable) == 0


@pytest.mark.parametrize("worse", [{"slower": 1.5}, {"tail": 0.1}])
def test_what_is_slower_is_found_at_five_hundred_requests(worse: dict[str, float]) -> None:
    assert share_rolled_back(500, 4500, **worse) >= 0.95


def test_what_is_slower_within_the_limit_goes_on() -> None:
    assert share_rolled_back(500, 4500, slower=1.1) == 0
