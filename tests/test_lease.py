"""Leases are kept while the work goes on, and a lost one is noticed."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

import file
from lease import Keeper
from models import File
from problems import LeaseLost

SECONDS = 0.3


class Beating:
    """A row that tells when its heart beats, and says what the database would."""

    id = "beating"

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.beats = threading.Semaphore(0)

    def heartbeat(self, seconds: float) -> bool:
        answer = self._answers.pop(0) if self._answers else True
        self.beats.release()
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_held_file_is_renewed_again_and_again(app: Flask) -> None:
    row = Beating()
    with Keeper(app, SECONDS).hold(row) as hold:
        assert all(row.beats.acquire(timeout=5) for _ in range(3))
        hold.check()


def test_a_holder_is_told_that_it_lost_its_file(app: Flask) -> None:
    row = Beating(True, False)
    with Keeper(app, SECONDS).hold(row) as hold:
        assert all(row.beats.acquire(timeout=5) for _ in range(3))
        with pytest.raises(LeaseLost):
            hold.check()


def test_a_database_that_is_away_for_a_beat_costs_nothing(app: Flask) -> None:
    row = Beating(OSError("away"), True)
    with Keeper(app, SECONDS).hold(row) as hold:
        assert all(row.beats.acquire(timeout=5) for _ in range(3))
        hold.check()


def test_the_lease_outlasts_work_that_takes_longer_than_it(app: Flask) -> None:
    row = file.new("slow", "text/plain", "async")
    row.accept(1.0)
    assert row.claim(1.0)
    beats = threading.Semaphore(0)
    renew = row.heartbeat
    row.heartbeat = lambda seconds: (renew(seconds), beats.release())[0]  # type: ignore[method-assign, func-returns-value]
    other = File.find(row.id)
    assert other is not None

    with Keeper(app, 1.0).hold(row):
        assert all(beats.acquire(timeout=5) for _ in range(4))
        assert not other.claim(1.0)


def test_the_thread_ends_when_nothing_is_held_and_comes_back(app: Flask) -> None:
    keeper = Keeper(app, SECONDS)
    with keeper.hold(Beating()):
        thread = keeper._thread
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive()

    row = Beating()
    with keeper.hold(row):
        assert row.beats.acquire(timeout=5)
