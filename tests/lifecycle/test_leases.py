"""Leases are kept while the work goes on, and a lost one is noticed."""

from __future__ import annotations

import threading
import time

import pytest
from flask import Flask

import file
import models
from database import engine
from lifecycle import queries, transitions
from lifecycle.leases import LeaseRenewer, is_due
from models import File, UploadStatus
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
    with LeaseRenewer(app, SECONDS).renewing(row) as hold:
        assert all(row.beats.acquire(timeout=5) for _ in range(3))
        hold.check()


def test_a_holder_is_told_that_it_lost_its_file(app: Flask) -> None:
    row = Beating(True, False)
    with LeaseRenewer(app, SECONDS).renewing(row) as hold:
        assert all(row.beats.acquire(timeout=5) for _ in range(3))
        with pytest.raises(LeaseLost):
            hold.check()


def test_a_database_that_is_away_for_a_beat_costs_nothing(app: Flask) -> None:
    row = Beating(OSError("away"), True)
    with LeaseRenewer(app, SECONDS).renewing(row) as hold:
        assert all(row.beats.acquire(timeout=5) for _ in range(3))
        hold.check()


def test_the_lease_outlasts_work_that_takes_longer_than_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    row = file.new_file("slow", "text/plain", "async")
    transitions.insert(row, 1.0)
    assert transitions.claim(row, 1.0)
    beats = threading.Semaphore(0)
    renew = transitions.heartbeat
    monkeypatch.setattr(transitions, "heartbeat", lambda row, seconds: (renew(row, seconds), beats.release())[0])  # type: ignore[func-returns-value]
    other = queries.get(row.id)
    assert other is not None

    with LeaseRenewer(app, 1.0).renewing(row):
        assert all(beats.acquire(timeout=5) for _ in range(4))
        assert not transitions.claim(other, 1.0)


@pytest.mark.parametrize(
    ("silent", "lease", "changed", "due"),
    [
        (0.0, 60, True, False),
        (0.249, 60, True, False),
        (0.25, 60, True, True),
        (0.25, 60, False, False),
        (19.7, 60, False, False),
        (19.8, 60, False, True),
        (0.1, 1, False, True),
    ],
)
def test_when_something_is_to_be_written(silent: float, lease: float, changed: bool, due: bool) -> None:
    assert is_due(silent, 0.25, lease, changed=changed) == due


@pytest.fixture
def uploading(app: Flask) -> File:
    """A file that is being received and stored, under a lease that needs no renewal meanwhile."""
    row = file.new_file("a", "text/plain", "normal")
    transitions.insert(row, 600, status=UploadStatus.PROCESSING)
    return row


def wait_for(row: File, received: int, stored: int) -> File:
    deadline = time.monotonic() + 5
    while (now := queries.get(row.id)) and (now.received_bytes, now.stored_bytes) != (received, stored):
        assert time.monotonic() < deadline, (now.received_bytes, now.stored_bytes)
        time.sleep(0.01)
    assert now
    return now


def test_the_row_says_how_far_the_bytes_are(app: Flask, uploading: File) -> None:
    with LeaseRenewer(app, 600).renewing(uploading) as hold:
        hold.received = 7
        before = wait_for(uploading, 7, 0)
        hold.add_stored(5)
        assert wait_for(uploading, 7, 5).updated_at > before.updated_at


def test_the_bytes_of_a_file_that_was_kept_before_have_all_been_received(app: Flask, uploading: File) -> None:
    uploading.size = 100
    with LeaseRenewer(app, 600).renewing(uploading) as hold:
        hold.received = 7
        hold.add_stored(5)
        wait_for(uploading, 100, 5)


def test_progress_is_written_four_times_a_second_at_most_and_never_twice_the_same(app: Flask, uploading: File) -> None:
    written: list[float] = []
    began = time.monotonic()
    with LeaseRenewer(app, 600).renewing(uploading) as hold:
        engine.event.listen(
            models.db.engine, "before_cursor_execute", lambda *_: written.append(time.monotonic() - began), named=False
        )
        while time.monotonic() < began + 0.9:
            hold.received += 1
            time.sleep(0.001)
        moving = len(written)
        time.sleep(0.7)

    assert 2 <= moving <= 3
    assert written[0] >= 0.25
    assert len(written) <= moving + 1


def test_a_database_that_is_away_is_told_the_bytes_later(
    app: Flask, uploading: File, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    progress = transitions.progress

    def away_at_first(row: File, lease: float, received: int, stored: int) -> bool:
        tries.append(received)
        if len(tries) == 1:
            raise OSError("away")
        return progress(row, lease, received, stored)

    monkeypatch.setattr(transitions, "progress", away_at_first)
    with LeaseRenewer(app, 3).renewing(uploading) as hold:
        hold.received = 7
        wait_for(uploading, 7, 0)

    assert tries == [7, 7]


def test_a_database_that_stands_still_holds_no_bytes_up(
    app: Flask, uploading: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()
    monkeypatch.setattr(transitions, "progress", lambda *_: asked.set() or answered.wait(10))
    with LeaseRenewer(app, 600).renewing(uploading) as hold:
        hold.received = 7
        assert asked.wait(5)
        for _ in range(1000):
            hold.add_stored(1)
            hold.check()
        assert hold.counts() == (7, 1000)
        answered.set()


def test_an_overtaken_holder_hears_it_from_its_progress(app: Flask, uploading: File) -> None:
    assert transitions.fail(uploading, "server-stopped")
    with LeaseRenewer(app, 600).renewing(uploading) as hold:
        hold.received = 7
        deadline = time.monotonic() + 5
        while not hold._lost.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(LeaseLost):
            hold.check()

    now = queries.get(uploading.id)
    assert now
    assert now.received_bytes == 0


def test_the_thread_ends_when_nothing_is_held_and_comes_back(app: Flask) -> None:
    keeper = LeaseRenewer(app, SECONDS)
    with keeper.renewing(Beating()):
        thread = keeper._thread
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive()

    row = Beating()
    with keeper.renewing(row):
        assert row.beats.acquire(timeout=5)
