"""Waiting ends at its bound, and says what it waits for without repeating itself."""

from collections.abc import Callable

from teardown.waiting import wait_until_nothing
from tests.teardown.conftest import FastClock

Spoken = tuple[list[str], Callable[[str], None]]


def test_nothing_to_wait_for_takes_no_time(spoken: Spoken, clock: FastClock) -> None:
    assert wait_until_nothing(list, 60, spoken[1], clock) == []
    assert (clock.time, spoken[0]) == (0, [])


def test_it_ends_when_all_is_gone(spoken: Spoken, clock: FastClock) -> None:
    def left() -> list[str]:
        return ["a", "b"] if clock.now() < 5 else ["b"] if clock.now() < 10 else []

    assert wait_until_nothing(left, 60, spoken[1], clock) == []
    assert clock.time == 10
    assert spoken[0] == ["waiting for a; b (at most 60 s more)", "waiting for b (at most 54 s more)"]


def test_it_ends_at_the_bound_with_what_is_left(spoken: Spoken, clock: FastClock) -> None:
    assert wait_until_nothing(lambda: ["a"], 61, spoken[1], clock) == ["a"]
    assert clock.time == 61
    assert [line.partition("(")[2] for line in spoken[0]] == [
        "at most 61 s more)",
        "at most 31 s more)",
        "at most 1 s more)",
    ]


def test_a_bound_of_nothing_still_looks_once(spoken: Spoken, clock: FastClock) -> None:
    assert wait_until_nothing(lambda: ["a"], 0, spoken[1], clock) == ["a"]
    assert clock.naps == []
