"""A worker is deaf when tasks wait, it is idle, and it has taken none for a while; nothing else counts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state
from flask import Flask

from relay import worker_probe
from relay.worker_probe import Deafness, Look, look_at, watch
from tests.fakes import services_of

IDLE = Look(waiting=3, taken=7, active=0, connected=True)
SECONDS = 120


def looks_until_deaf(looks: Sequence[Look | None]) -> int | None:
    """How many of these looks it takes; None where they are not enough."""
    deafness = Deafness(SECONDS)
    return next((number for number, look in enumerate(looks, 1) if deafness.is_reached(look)), None)


def without(look: Look | None, at: int) -> list[Look | None]:
    """Looks at a deaf worker, but for one in the middle."""
    return [IDLE] * at + [look] + [IDLE] * 10


def test_a_worker_that_takes_none_of_what_waits_is_deaf_after_a_while() -> None:
    assert looks_until_deaf([IDLE] * 50) == 11


@pytest.mark.parametrize(
    "look",
    [
        None,
        replace(IDLE, waiting=0),
        replace(IDLE, active=1),
        replace(IDLE, taken=8),
    ],
    ids=["Redis does not answer", "nothing waits", "works", "has taken one"],
)
def test_one_look_that_finds_it_well_is_enough(look: Look | None) -> None:
    assert looks_until_deaf(without(look, 10)) is None


def test_a_worker_that_takes_tasks_all_the_time_is_well_whatever_waits() -> None:
    assert looks_until_deaf([replace(IDLE, waiting=500, taken=n) for n in range(100)]) is None


def test_a_worker_that_reconnects_has_time_for_celerys_pauses() -> None:
    reconnecting = replace(IDLE, connected=False)

    assert looks_until_deaf([reconnecting] * 50) == 14
    assert 13 * Deafness(SECONDS).every >= SECONDS + 30


def test_the_end_is_logged_and_called(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    ends, naps = list[bool](), list[float]()
    monkeypatch.setattr(worker_probe.time, "sleep", naps.append)
    with caplog.at_level(logging.CRITICAL, "ferry.worker"):
        watch(lambda: IDLE, SECONDS, lambda: ends.append(True))

    assert (ends, naps) == ([True], [12.0] * 10)
    assert "worker.stalled: 3 tasks wait, this worker is idle" in caplog.text


def test_a_worker_that_does_not_end_by_celerys_way_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = list[Any]()
    monkeypatch.setattr(state, "should_stop", None)
    monkeypatch.setattr(worker_probe.time, "sleep", lambda seconds: codes.append((state.should_stop, seconds)))
    monkeypatch.setattr(worker_probe.os, "_exit", codes.append)
    worker_probe.end_worker()

    assert codes == [(1, 10.0), 1]


def consumer_of(app: Flask) -> Any:
    return SimpleNamespace(app=services_of(app).celery, connection=object())


def test_what_waits_in_the_workers_queue_is_counted(app: Flask) -> None:
    celery = services_of(app).celery
    name = celery.conf.task_default_queue = "ferry-test-probe"
    with celery.connection_for_write() as connection:
        queue = connection.SimpleQueue(name)
        before = look_at(consumer_of(app))
        queue.put("x")
        after = look_at(consumer_of(app))
        queue.clear()

    assert before
    assert after == replace(before, waiting=before.waiting + 1)
    assert after.connected


def test_a_redis_that_does_not_answer_says_nothing_of_the_worker(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = consumer_of(app)

    def away(*_: Any, **__: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(type(consumer.app), "connection_for_read", away)
    assert look_at(consumer) is None
