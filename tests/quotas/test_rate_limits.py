"""Rate limits: never exceeded, by all processes together; without Redis, by each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config_types import Rate
from database.redis_options import parse
from dev.process import free_port
from problems import TooManyRequests
from quotas.rate_limits import RateLimiter, _redis_limiter, _Window, batch_size
from tests.harness.clock import Clock

MINUTE = Rate(60, 60)


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000)


@pytest.mark.parametrize(("limit", "batch"), [(1, 1), (60, 1), (100, 1), (250, 2), (6000, 60)])
def test_a_batch_is_a_hundredth_of_the_limit(limit: int, batch: int) -> None:
    assert batch_size(limit) == batch


def accepted(limiter: RateLimiter, rate: Rate, times: int, client: str = "alice") -> int:
    count = 0
    for _ in range(times):
        try:
            limiter.hit("read", rate, client)
        except TooManyRequests:
            continue
        count += 1
    return count


def test_all_processes_share_one_limit(valkey: str, clock: Clock) -> None:
    processes = [RateLimiter(parse(valkey), clock) for _ in range(3)]

    assert sum(accepted(limiter, MINUTE, 50, "three") for limiter in processes) == 60


def test_large_limits_are_shared_too(valkey: str, clock: Clock) -> None:
    processes = [RateLimiter(parse(valkey), clock) for _ in range(2)]

    assert sum(accepted(limiter, Rate(1000, 60), 800, "large") for limiter in processes) == 1000


@pytest.mark.parametrize(("limit", "granted"), [(299, 298), (1234, 1224)])
def test_a_limit_is_never_exceeded_by_part_of_a_batch(valkey: str, clock: Clock, limit: int, granted: int) -> None:
    processes = [RateLimiter(parse(valkey), clock) for _ in range(2)]

    assert sum(accepted(limiter, Rate(limit, 60), limit, f"part {limit}") for limiter in processes) == granted


def test_retry_after_leads_to_the_next_window(valkey: str, clock: Clock) -> None:
    limiter = RateLimiter(parse(valkey), clock)
    clock.now += 15
    accepted(limiter, MINUTE, 60, "window")
    with pytest.raises(TooManyRequests) as refused:
        limiter.hit("read", MINUTE, "window")
    assert refused.value.retry_after == 45

    clock.now += 45
    assert accepted(limiter, MINUTE, 70, "window") == 60


def test_clients_have_separate_limits(valkey: str, clock: Clock) -> None:
    limiter = RateLimiter(parse(valkey), clock)

    assert [accepted(limiter, Rate(5, 60), 9, name) for name in ("ann", "ben")] == [5, 5]


def test_a_new_client_costs_the_same_with_any_number_of_clients(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows are dropped as a whole when they end, not one by one."""
    visited: list[str] = []

    class Names(dict[str, object]):
        def __iter__(self) -> Iterator[str]:
            visited.extend(self.keys())
            return super().__iter__()

        def items(self) -> Any:
            visited.extend(self.keys())
            return super().items()

    limiter = RateLimiter(parse(f"redis://127.0.0.1:{free_port()}/0"), clock)
    limiter._windows["read"] = _Window(int(clock.now // 60), Names())  # type: ignore[arg-type]
    for number in range(1000):
        limiter.hit("read", MINUTE, str(number))
    assert visited == []

    clock.now += 60
    limiter.hit("read", MINUTE, "another")
    assert [list(window.left) for window in limiter._windows.values()] == [["another"]]


def test_remembered_clients_are_limited(valkey: str, clock: Clock, monkeypatch: Any) -> None:
    monkeypatch.setattr("quotas.rate_limits._MAX_CLIENTS", 50)
    limiter = RateLimiter(parse(valkey), clock)

    assert accepted(limiter, Rate(3, 60), 2, "first") == 2
    for number in range(200):
        limiter.hit("read", MINUTE, f"many {number}")
        assert all(len(window.left) <= 50 for window in limiter._windows.values())
    assert accepted(limiter, Rate(3, 60), 5, "first") == 1


def test_without_redis_each_process_counts_alone(clock: Clock) -> None:
    uri = f"redis://127.0.0.1:{free_port()}/0"

    assert [accepted(RateLimiter(parse(uri), clock), MINUTE, 99) for _ in range(2)] == [60, 60]
    assert accepted(RateLimiter(parse(uri), clock), Rate(299, 60), 400) == 298


def test_redis_is_tried_again_after_the_pause(valkey: str, clock: Clock) -> None:
    limiter = RateLimiter(parse(f"redis://127.0.0.1:{free_port()}/0"), clock)
    limiter.hit("read", MINUTE, "back")
    limiter._shared = _redis_limiter(parse(valkey))
    clock.now += 10

    assert accepted(limiter, MINUTE, 99, "back") == 60
    assert accepted(RateLimiter(parse(valkey), clock), MINUTE, 99, "back") == 0
