"""Subscriptions: changes are published soon, capacity is bounded, and a stop closes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from config import Config
from dev.polling import eventually
from lifecycle import changes, queries, transitions
from lifecycle.changes import ChangePoller, Subscription, has_capacity, has_ended
from models import FileRow, UploadStatus, db
from problems import TooManyWatchers
from tests.fakes import services_of
from tests.harness.factories import LEASE, claim, file_value, pending_row


@pytest.fixture
def row(app: Flask) -> FileRow:
    return pending_row()


@pytest.fixture
def poller(app: Flask) -> Iterator[ChangePoller]:
    poller = ChangePoller(app, 8)
    yield poller
    thread = poller._thread
    poller.stop()
    if thread:
        thread.join(5)
        assert not thread.is_alive()


def never(row: FileRow | None) -> bool:
    return False


def processing(row: FileRow | None) -> bool:
    return row is not None and row.upload_status == UploadStatus.PROCESSING


@pytest.mark.parametrize(
    ("status", "ended"), [("PENDING", False), ("PROCESSING", False), ("COMPLETE", True), ("ERROR", True)]
)
def test_complete_and_failed_files_have_ended(status: str, ended: bool) -> None:
    assert has_ended(file_value(status)) == ended


@pytest.mark.parametrize(
    ("subscribed", "own", "capacity", "expected"),
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
def test_a_client_gets_half_of_the_capacity(subscribed: int, own: int, capacity: int, expected: bool) -> None:
    assert has_capacity(subscribed, own, capacity) == expected


@pytest.mark.parametrize(("threads", "capacity"), [(1, 0), (2, 1), (4, 1), (7, 1), (8, 2), (16, 4), (256, 64)])
def test_a_quarter_of_the_threads_may_wait_but_never_all(threads: int, capacity: int) -> None:
    assert Config.from_env({"WEB_THREADS": str(threads)}).max_watchers == capacity


@pytest.fixture
def polls(poller: ChangePoller, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before each poll, which are skipped."""
    pauses: list[float] = []
    wait = poller._woken.wait

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return wait(0.001)

    monkeypatch.setattr(poller._woken, "wait", pause)
    return pauses


def test_a_change_is_published_by_the_next_poll(poller: ChangePoller, row: FileRow, polls: list[float]) -> None:
    with poller.subscription(row, "alice") as subscription, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(subscription.wait_until, processing, 60)
        assert eventually(lambda: len(polls) > 3)
        assert not waiting.done()
        claim(row)
        assert processing(waiting.result(30))

    assert max(polls) <= 0.25


def test_a_change_by_this_process_is_published_at_once(
    app: Flask, row: FileRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_POLL_INTERVAL", 3600.0)
    with services_of(app).changes.subscription(row, "alice") as subscription:
        claim(row)
        assert processing(subscription.wait_until(processing, 30))


def test_a_change_of_another_file_causes_no_poll(poller: ChangePoller, row: FileRow) -> None:
    with poller.subscription(row, "alice"):
        poller.wake("another")
        assert not poller._woken.is_set()


def test_a_change_before_the_subscription_is_not_missed(poller: ChangePoller, row: FileRow) -> None:
    claim(row)

    with poller.subscription(row, "alice") as subscription:
        assert processing(subscription.wait_until(processing, 5))


def test_a_wait_without_a_change_ends_after_its_seconds(row: FileRow, monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = 0.0, []

    def wait(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += 0.5

    subscription = Subscription(row, "alice", lambda: False, lambda: now)
    monkeypatch.setattr(subscription._changed, "wait", wait)

    assert subscription.wait_until(never, 1.25) is row
    assert waits == [1.25, 0.75, 0.25]


def test_a_condition_that_is_true_ends_the_wait_at_once(poller: ChangePoller, row: FileRow) -> None:
    with poller.subscription(row, "alice") as subscription:
        assert subscription.wait_until(lambda row: True, 60) is row


@pytest.mark.parametrize("statement", ["DELETE FROM files", "UPDATE files SET deleted_at = 1"])
def test_a_deleted_file_is_published_as_none(app: Flask, poller: ChangePoller, row: FileRow, statement: str) -> None:
    with poller.subscription(row, "alice") as subscription:
        with db.engine.begin() as connection:
            connection.execute(text(statement))
        assert subscription.wait_until(lambda row: row is None, 5) is None


def test_a_heartbeat_wakes_no_subscription(poller: ChangePoller, row: FileRow, polls: list[float]) -> None:
    claimed = claim(row)
    calls: list[FileRow | None] = []
    with poller.subscription(claimed, "alice") as subscription, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(subscription.wait_until, lambda row: bool(calls.append(row)), 60)
        assert transitions.heartbeat(claimed, LEASE)
        seen = len(polls)
        assert eventually(lambda: len(polls) > seen + 3)
        assert len(calls) == 1
        poller.stop()
        waiting.result(30)


def test_one_query_reads_all_subscribed_files(
    app: Flask, poller: ChangePoller, row: FileRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = pending_row()
    queried: list[set[str]] = []
    polled = threading.Semaphore(0)
    monkeypatch.setattr(queries, "get_many", lambda ids: queried.append(set(ids)) or polled.release() or {})
    with poller.subscription(row, "alice"), poller.subscription(other, "bob"), poller.subscription(row, "carol"):
        queried.clear()
        assert all(polled.acquire(timeout=5) for _ in range(3))

    assert {row.id, other.id} in queried


def test_capacity_is_bounded_and_is_released(poller: ChangePoller, row: FileRow) -> None:
    for name in ("alice", "bob"):
        for _ in range(4):
            last = poller.subscribe(row, name)
        with pytest.raises(TooManyWatchers):
            poller.subscribe(row, name)
    with pytest.raises(TooManyWatchers):
        poller.subscribe(row, "carol")
    poller.unsubscribe(last)
    poller.unsubscribe(last)

    poller.subscribe(row, "carol")
    with pytest.raises(TooManyWatchers):
        poller.subscribe(row, "dave")


def test_the_thread_runs_only_while_there_are_subscriptions(poller: ChangePoller, row: FileRow) -> None:
    assert poller._thread is None
    with poller.subscription(row, "alice"):
        thread = poller._thread
        assert thread
    thread.join(5)
    assert not thread.is_alive()

    with poller.subscription(row, "alice") as subscription:
        claim(row)
        assert processing(subscription.wait_until(processing, 5))


def test_a_stop_closes_subscriptions_and_refuses_new_ones(poller: ChangePoller, row: FileRow) -> None:
    with poller.subscription(row, "alice") as subscription, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(subscription.wait_until, never, 60)
        began = time.monotonic()
        poller.stop()
        assert waiting.result(5) is row
    assert time.monotonic() - began < 5

    with pytest.raises(TooManyWatchers):
        poller.subscribe(row, "alice")


@pytest.mark.parametrize("error", [OperationalError("SELECT", {}, Exception("why")), ValueError("why")])
def test_a_failed_poll_is_repeated(
    poller: ChangePoller,
    row: FileRow,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    polls: list[int] = []
    get_many = queries.get_many

    def fail_once(ids: list[str]) -> dict[str, FileRow]:
        polls.append(1)
        if len(polls) == 1:
            raise error
        return get_many(ids)

    monkeypatch.setattr(queries, "get_many", fail_once)
    with poller.subscription(row, "alice") as subscription:
        claim(row)
        assert processing(subscription.wait_until(processing, 5))

    assert "changes.poll_failed" in caplog.text
    assert "why" in caplog.text
