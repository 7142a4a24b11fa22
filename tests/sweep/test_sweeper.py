"""The sweeper thread: one process sweeps at a time, errors do not end it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from database import locks
from models import FileRow
from storage.base import StorageUnavailable
from sweep.sweeper import Sweeper
from tests.harness.factories import EXPIRED, claim, claimed_file, pending_file


def make_sweeper(app: Flask, dispatch: Callable[[FileRow], None], every: float = 30) -> Sweeper:
    return Sweeper(
        app,
        dispatch,
        every=every,
        multipart_every=1000,
        objects_every=1000,
        requeue_lost=lambda: None,
        requeue_lost_every=1000,
    )


def test_one_process_sweeps_at_a_time(app: Flask) -> None:
    dispatched: list[str] = []
    sweepers = [make_sweeper(app, lambda row: dispatched.append(row.id)) for _ in range(2)]
    row = pending_file()
    sweepers[0].run_once()
    claim(row, EXPIRED)
    sweepers[1].run_once()
    assert dispatched == []
    sweepers[0].run_once()
    assert dispatched == [row.id]


def test_a_stopped_sweep_dispatches_nothing(app: Flask) -> None:
    dispatched: list[str] = []
    sweeper = make_sweeper(app, lambda row: dispatched.append(row.id))
    sweeper.stop()
    claimed_file("async", EXPIRED)
    sweeper.run_once()

    assert dispatched == []


def test_a_failed_sweep_is_repeated(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeper = make_sweeper(app, lambda row: None, 0.01)
    runs: list[int] = []

    def run_once() -> None:
        runs.append(1)
        if len(runs) == 3:
            sweeper._stop.set()
        raise StorageUnavailable if len(runs) == 1 else RuntimeError

    monkeypatch.setattr(sweeper, "run_once", run_once)
    sweeper.start()
    assert sweeper._thread is not None
    sweeper._thread.join(10)
    assert len(runs) == 3


def test_a_lock_has_one_holder_until_it_expires(app: Flask) -> None:
    assert locks.acquire("a", "me", 30)
    assert locks.acquire("a", "me", 30)
    assert not locks.acquire("a", "you", 30)
    assert locks.acquire("b", "you", -1)
    assert locks.acquire("b", "me", 30)
    assert locks.current_holder("b") == "me"
    assert locks.current_holder("c") is None
