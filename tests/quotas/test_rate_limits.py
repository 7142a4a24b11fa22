"""Rates: never more than allowed, by all processes together; without Redis, by each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config import Rate
from database.redis_options import parse
from dev.process import free_port
from problems import TooManyRequests
from quotas.rate_limits import RateLimiter, allowed, batch_size

MINUTE = Rate(60, 60)


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(("most", "at_once"), [(1, 1), (60, 1), (100, 1), (250, 2), (6000, 60)])
def test_a_process_takes_a_hundredth_at_once(most: int, at_once: int) -> None:
    assert batch_size(most) == at_once


@pytest.mark.parametrize(
    ("most", "counted", "some", "spent"),
    [(10, 1, 1, 1), (10, 10, 1, 1), (10, 11, 1, 0), (100, 103, 5, 2), (9, 99, 5, 0)],
)
def test_what_is_granted_never_exceeds_the_limit(most: int, counted: int, some: int, spent: int) -> None:
    assert allowed(most, counted, some) == spent


def let_through(rates: RateLimiter, rate: Rate, times: int, name: str = "alice") -> int:
    count = 0
    for _ in range(times):
        try:
            rates.hit("read", rate, name)
        except TooManyRequests:
            continue
        count += 1
    return count


def test_all_processes_together_have_one_limit(valkey: str, clock: Clock) -> None:
    processes = [RateLimiter(parse(valkey), clock) for _ in range(3)]

    assert sum(let_through(rates, MINUTE, 50, "three") for rates in processes) == 60


def test_large_limits_are_kept_too(valkey: str, clock: Clock) -> None:
    processes = [RateLimiter(parse(valkey), clock) for _ in range(2)]

    assert sum(let_through(rates, Rate(1000, 60), 800, "large") for rates in processes) == 1000


def test_the_next_window_starts_anew_and_the_wait_leads_to_it(valkey: str, clock: Clock) -> None:
    rates = RateLimiter(parse(valkey), clock)
    clock.now += 15
    let_through(rates, MINUTE, 60, "window")
    with pytest.raises(TooManyRequests) as refused:
        rates.hit("read", MINUTE, "window")
    assert refused.value.retry_after == 45

    clock.now += 45
    assert let_through(rates, MINUTE, 70, "window") == 60


def test_one_caller_takes_nothing_from_another(valkey: str, clock: Clock) -> None:
    rates = RateLimiter(parse(valkey), clock)

    assert [let_through(rates, Rate(5, 60), 9, name) for name in ("ann", "ben")] == [5, 5]


def test_a_new_caller_costs_the_same_however_many_there_are(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers are looked at when their window ends, and not one by one."""
    visited: list[str] = []

    class Names(dict[str, object]):
        def __iter__(self) -> Iterator[str]:
            visited.extend(self.keys())
            return super().__iter__()

        def items(self) -> Any:
            visited.extend(self.keys())
            return super().items()

    rates = RateLimiter(parse(f"redis://127.0.0.1:{free_port()}/0"), clock)
    rates._windows["read"] = (int(clock.now // 60), Names())  # type: ignore[assignment]
    for number in range(1000):
        rates.hit("read", MINUTE, str(number))
    assert visited == []

    clock.now += 60
    rates.hit("read", MINUTE, "another")
    assert {name for _, taken in rates._windows.values() for name in taken} == {"another"}


def test_callers_without_end_take_no_memory_without_end(valkey: str, clock: Clock, monkeypatch: Any) -> None:
    monkeypatch.setattr("quotas.rate_limits._MOST", 50)
    rates = RateLimiter(parse(valkey), clock)

    assert let_through(rates, Rate(3, 60), 2, "first") == 2
    for number in range(200):
        rates.hit("read", MINUTE, f"many {number}")
        assert all(len(taken) <= 50 for _, taken in rates._windows.values())
    assert let_through(rates, Rate(3, 60), 5, "first") == 1


def test_without_redis_each_process_counts_by_itself(clock: Clock) -> None:
    uri = f"redis://127.0.0.1:{free_port()}/0"

    assert [let_through(RateLimiter(parse(uri), clock), MINUTE, 99) for _ in range(2)] == [60, 60]


def test_redis_is_asked_again_when_it_may_be_back(valkey: str, clock: Clock) -> None:
    rates = RateLimiter(parse(f"redis://127.0.0.1:{free_port()}/0"), clock)
    rates.hit("read", MINUTE, "back")
    rates._options, rates._redis = parse(valkey), None
    clock.now += 10

    assert let_through(rates, MINUTE, 99, "back") == 60
    assert let_through(RateLimiter(parse(valkey), clock), MINUTE, 99, "back") == 0
