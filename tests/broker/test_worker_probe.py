"""A worker is stalled if tasks wait, it is idle, and it has taken none for a while."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state
from flask import Flask

from broker import worker_probe
from broker.worker_probe import StallDetector, WorkerState, sample, watch
from tests.fakes import services_of

IDLE = WorkerState(waiting=3, taken=7, active=0, connected=True)
SECONDS = 120


def samples_until_stalled(samples: Sequence[WorkerState | None]) -> int | None:
    """Number of samples until the stall is detected; None if it is not."""
    detector = StallDetector(SECONDS)
    return next((number for number, state in enumerate(samples, 1) if detector.is_stalled(state)), None)


def stalled_except(state: WorkerState | None, at: int) -> list[WorkerState | None]:
    """Samples of a stalled worker, with a different one in the middle."""
    return [IDLE] * at + [state] + [IDLE] * 10


def test_an_idle_worker_is_stalled_after_ten_intervals() -> None:
    assert samples_until_stalled([IDLE] * 50) == 11


@pytest.mark.parametrize(
    "state",
    [
        None,
        replace(IDLE, waiting=0),
        replace(IDLE, active=1),
        replace(IDLE, taken=8),
    ],
    ids=["Redis does not respond", "empty queue", "active", "took a task"],
)
def test_one_healthy_sample_resets_the_detector(state: WorkerState | None) -> None:
    assert samples_until_stalled(stalled_except(state, 10)) is None


def test_a_worker_that_takes_tasks_is_not_stalled_by_a_long_queue() -> None:
    assert samples_until_stalled([replace(IDLE, waiting=500, taken=n) for n in range(100)]) is None


def test_a_reconnecting_worker_gets_the_time_of_celerys_pauses() -> None:
    reconnecting = replace(IDLE, connected=False)

    assert samples_until_stalled([reconnecting] * 50) == 14
    assert 13 * StallDetector(SECONDS).interval >= SECONDS + 30


def test_a_stall_is_logged_and_stops_the_worker(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops, sleeps = list[bool](), list[float]()
    monkeypatch.setattr(worker_probe.time, "sleep", sleeps.append)
    with caplog.at_level(logging.CRITICAL, "ferry.worker"):
        watch(lambda: IDLE, SECONDS, lambda: stops.append(True))

    assert (stops, sleeps) == ([True], [12.0] * 10)
    assert "worker.stalled: 3 tasks wait, this worker is idle" in caplog.text


def test_a_worker_that_does_not_shut_down_exits(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = list[Any]()
    monkeypatch.setattr(state, "should_stop", None)
    monkeypatch.setattr(worker_probe.time, "sleep", lambda seconds: codes.append((state.should_stop, seconds)))
    monkeypatch.setattr(worker_probe.os, "_exit", codes.append)
    worker_probe.stop_worker()

    assert codes == [(1, 10.0), 1]


def consumer_of(app: Flask) -> Any:
    return SimpleNamespace(app=services_of(app).celery, connection=object())


def test_tasks_in_the_workers_queue_are_counted(app: Flask) -> None:
    celery = services_of(app).celery
    name = celery.conf.task_default_queue = "ferry-test-probe"
    with celery.connection_for_write() as connection:
        queue = connection.SimpleQueue(name)
        before = sample(consumer_of(app))
        queue.put("x")
        after = sample(consumer_of(app))
        queue.clear()

    assert before
    assert after == replace(before, waiting=before.waiting + 1)
    assert after.connected


def test_a_redis_failure_gives_no_sample(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = consumer_of(app)

    def unreachable(*_: Any, **__: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(type(consumer.app), "connection_for_read", unreachable)
    assert sample(consumer) is None
