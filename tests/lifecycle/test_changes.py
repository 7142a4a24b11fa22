"""Who waits hears of a change at once, has few places, and is let go when the process is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import file
from config import Config
from lifecycle import queries, transitions
from lifecycle.changes import ChangePoller, has_capacity, has_ended
from models import File, UploadStatus, db
from problems import TooManyWatchers

LEASE = 30.0


@pytest.fixture
def row(app: Flask) -> File:
    row = file.new_file("a", "text/plain", "async")
    row.size, row.sha256 = 3, "0" * 64
    transitions.insert(row, LEASE)
    return row


@pytest.fixture
def watcher(app: Flask) -> Iterator[ChangePoller]:
    watcher = ChangePoller(app, 8)
    yield watcher
    thread = watcher._thread
    watcher.stop()
    if thread:
        thread.join(5)
        assert not thread.is_alive()


def never(row: File | None) -> bool:
    return False


def claim(row: File) -> File:
    """Somebody takes the file; the value in hand stays what it was."""
    holder = queries.get(row.id)
    assert holder
    assert transitions.claim(holder, LEASE)
    return holder


def processing(row: File | None) -> bool:
    return row is not None and row.upload_status == UploadStatus.PROCESSING


@pytest.mark.parametrize(
    ("status", "ended"), [("PENDING", False), ("PROCESSING", False), ("COMPLETE", True), ("ERROR", True)]
)
def test_what_is_stored_or_has_failed_has_ended(status: str, ended: bool) -> None:
    assert has_ended(File(upload_status=UploadStatus(status))) == ended


@pytest.mark.parametrize(
    ("taken", "mine", "places", "has"),
    [
        (0, 0, 0, False),
        (0, 0, 1, True),
        (1, 0, 1, False),
        (1, 1, 3, False),
        (1, 1, 4, True),
        (2, 2, 4, False),
        (3, 1, 4, True),
        (4, 0, 4, False),
    ],
)
def test_who_has_a_place(taken: int, mine: int, places: int, has: bool) -> None:
    assert has_capacity(taken, mine, places) == has


@pytest.mark.parametrize(("threads", "places"), [(1, 0), (2, 1), (4, 1), (7, 1), (8, 2), (16, 4), (256, 64)])
def test_a_quarter_of_the_threads_may_wait_and_never_all(threads: int, places: int) -> None:
    assert Config.from_env({"WEB_THREADS": str(threads)}).max_watchers == places


def test_who_waits_is_told_within_half_a_second(app: Flask, watcher: ChangePoller, row: File) -> None:
    with watcher.subscription(row, "alice") as watch, ThreadPoolExecutor(1) as thread:
        told = thread.submit(lambda: (watch.wait_until(processing, 10), time.monotonic()))
        time.sleep(0.3)
        assert not told.done()
        claim(row)
        changed = time.monotonic()
        found, at = told.result(10)

    assert processing(found)
    assert at - changed < 0.5


def test_a_change_between_the_look_and_the_place_is_not_missed(watcher: ChangePoller, row: File) -> None:
    claim(row)

    with watcher.subscription(row, "alice") as watch:
        assert processing(watch.wait_until(processing, 5))


def test_a_wait_without_news_ends_in_time_with_what_there_is(watcher: ChangePoller, row: File) -> None:
    began = time.monotonic()
    with watcher.subscription(row, "alice") as watch:
        found = watch.wait_until(never, 0.6)

    assert found is row
    assert 0.6 <= time.monotonic() - began < 5


def test_what_is_done_already_is_not_waited_for(watcher: ChangePoller, row: File) -> None:
    with watcher.subscription(row, "alice") as watch:
        assert watch.wait_until(lambda row: True, 60) is row


@pytest.mark.parametrize("statement", ["DELETE FROM files", "UPDATE files SET deleted_at = 1"])
def test_a_file_that_is_deleted_is_seen_to_be_gone(
    app: Flask, watcher: ChangePoller, row: File, statement: str
) -> None:
    with watcher.subscription(row, "alice") as watch:
        with db.engine.begin() as connection:
            connection.execute(text(statement))
        assert watch.wait_until(lambda row: row is None, 5) is None


def test_nobody_wakes_for_what_nobody_sees(watcher: ChangePoller, row: File) -> None:
    holder = claim(row)
    asked: list[File | None] = []
    with watcher.subscription(holder, "alice") as watch, ThreadPoolExecutor(1) as thread:
        told = thread.submit(watch.wait_until, lambda row: bool(asked.append(row)), 0.8)
        assert transitions.heartbeat(holder, LEASE)
        told.result(5)

    assert len(asked) == 2


def test_all_that_is_watched_is_looked_up_at_once(
    app: Flask, watcher: ChangePoller, row: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = file.new_file("b", "text/plain", "async")
    transitions.insert(other, LEASE)
    looks: list[set[str]] = []
    looked = threading.Semaphore(0)
    monkeypatch.setattr(queries, "get_many", lambda ids: looks.append(set(ids)) or looked.release() or {})
    with watcher.subscription(row, "alice"), watcher.subscription(other, "bob"), watcher.subscription(row, "carol"):
        looks.clear()
        assert all(looked.acquire(timeout=5) for _ in range(3))

    assert {row.id, other.id} in looks


def test_places_are_bounded_and_come_back(watcher: ChangePoller, row: File) -> None:
    for name in ("alice", "bob"):
        for _ in range(4):
            last = watcher.subscribe(row, name)
        with pytest.raises(TooManyWatchers):
            watcher.subscribe(row, name)
    with pytest.raises(TooManyWatchers):
        watcher.subscribe(row, "carol")
    watcher.unsubscribe(last)
    watcher.unsubscribe(last)

    watcher.subscribe(row, "carol")
    with pytest.raises(TooManyWatchers):
        watcher.subscribe(row, "dave")


def test_nobody_looks_when_nobody_watches(watcher: ChangePoller, row: File) -> None:
    assert watcher._thread is None
    with watcher.subscription(row, "alice"):
        thread = watcher._thread
        assert thread
    thread.join(5)
    assert not thread.is_alive()

    with watcher.subscription(row, "alice") as watch:
        claim(row)
        assert processing(watch.wait_until(processing, 5))


def test_a_stop_lets_everybody_go_at_once_and_nobody_in(watcher: ChangePoller, row: File) -> None:
    with watcher.subscription(row, "alice") as watch, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(watch.wait_until, never, 60)
        began = time.monotonic()
        watcher.stop()
        assert waiting.result(5) is row
    assert time.monotonic() - began < 5

    with pytest.raises(TooManyWatchers):
        watcher.subscribe(row, "alice")


@pytest.mark.parametrize("error", [OperationalError("SELECT", {}, Exception("why")), ValueError("why")])
def test_a_look_that_fails_is_repeated(
    watcher: ChangePoller,
    row: File,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    looks: list[int] = []
    among = queries.get_many

    def away_at_first(ids: list[str]) -> dict[str, File]:
        looks.append(1)
        if len(looks) == 1:
            raise error
        return among(ids)

    monkeypatch.setattr(queries, "get_many", away_at_first)
    with watcher.subscription(row, "alice") as watch:
        claim(row)
        assert processing(watch.wait_until(processing, 5))

    assert "changes.poll_failed" in caplog.text
    assert "why" in caplog.text
