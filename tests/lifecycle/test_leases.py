"""Leases are renewed while a worker is busy, and a lost one is noticed."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from dev.polling import eventually
from lifecycle import transitions
from lifecycle.leases import Lease, LeaseRenewer, is_due
from models import FileRow
from problems import LeaseLost
from storage.base import Upload
from storage.memory import MemoryStorage
from tests.harness.factories import claimed_file, reload

SECONDS = 0.3


class FakeRow:
    """A row that counts heartbeats, and answers them as the database would."""

    id = "fake"

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.heartbeats = threading.Semaphore(0)

    def heartbeat(self, seconds: float) -> bool:
        answer = self._answers.pop(0) if self._answers else True
        self.heartbeats.release()
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_lease_is_renewed_repeatedly(app: Flask) -> None:
    row = FakeRow()
    with LeaseRenewer(app, SECONDS).renewing(row) as lease:
        assert all(row.heartbeats.acquire(timeout=5) for _ in range(3))
        lease.check()


def test_a_lease_that_cannot_be_renewed_is_lost(app: Flask) -> None:
    row = FakeRow(True, False)
    with LeaseRenewer(app, SECONDS).renewing(row) as lease:
        assert all(row.heartbeats.acquire(timeout=5) for _ in range(3))
        with pytest.raises(LeaseLost):
            lease.check()


def test_one_failed_heartbeat_loses_nothing(app: Flask) -> None:
    row = FakeRow(OSError("unavailable"), True)
    with LeaseRenewer(app, SECONDS).renewing(row) as lease:
        assert all(row.heartbeats.acquire(timeout=5) for _ in range(3))
        lease.check()


def test_work_may_take_longer_than_the_lease(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    row = claimed_file(lease=1.0)
    heartbeats = threading.Semaphore(0)
    renew = transitions.heartbeat
    monkeypatch.setattr(transitions, "heartbeat", lambda row, seconds: (renew(row, seconds), heartbeats.release())[0])  # type: ignore[func-returns-value]
    other = reload(row)

    with LeaseRenewer(app, 1.0).renewing(row):
        assert all(heartbeats.acquire(timeout=5) for _ in range(4))
        assert not transitions.claim(other, 1.0)


@pytest.mark.parametrize(
    ("elapsed", "lease", "changed", "due"),
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
def test_when_a_lease_is_written(elapsed: float, lease: float, changed: bool, due: bool) -> None:
    assert is_due(elapsed, 0.25, lease, changed=changed) == due


@pytest.fixture
def uploading(app: Flask) -> FileRow:
    """A file that is being uploaded, under a lease that needs no renewal during the test."""
    return claimed_file(lease=600)


def stored(size: int) -> Upload:
    """An upload of which the storage has acknowledged `size` bytes."""
    upload = MemoryStorage().upload("key", content_type="text/plain")
    upload.stored = size
    return upload


def wait_for(row: FileRow, received: int, stored: int) -> FileRow:
    """The row once it shows this progress."""
    now = eventually(lambda: reload(row), lambda now: (now.received_bytes, now.stored_bytes) == (received, stored))
    assert (now.received_bytes, now.stored_bytes) == (received, stored)
    return now


def test_the_row_shows_the_progress(app: Flask, uploading: FileRow) -> None:
    with LeaseRenewer(app, 600).renewing(uploading) as lease:
        lease.received = 7
        before = wait_for(uploading, 7, 0)
        lease.upload = stored(5)
        assert wait_for(uploading, 7, 5).updated_at > before.updated_at


def test_a_spooled_file_is_fully_received(app: Flask, uploading: FileRow) -> None:
    with LeaseRenewer(app, 600).renewing(uploading._replace(size=100)) as lease:
        lease.received = 7
        lease.upload = stored(5)
        wait_for(uploading, 100, 5)


def test_progress_is_written_four_times_a_second_at_most_and_only_if_it_changed(
    app: Flask, uploading: FileRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    written: list[float] = []
    monkeypatch.setattr(transitions, "progress", lambda *_: written.append(now) or True)
    monkeypatch.setattr(transitions, "heartbeat", lambda *_: pytest.fail("renewed"))
    renewer, lease = LeaseRenewer(app, 600, lambda: now), Lease(now)
    for step in range(1, 128):
        now = step / 64
        lease.received += step <= 58
        renewer._renew_if_due(lease, uploading)

    assert written == [0.25, 0.5, 0.75, 1.0]


def test_progress_that_could_not_be_written_is_written_later(
    app: Flask, uploading: FileRow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    progress = transitions.progress

    def fail_once(row: FileRow, lease: float, received: int, stored: int) -> bool:
        tries.append(received)
        if len(tries) == 1:
            raise OSError("unavailable")
        return progress(row, lease, received, stored)

    monkeypatch.setattr(transitions, "progress", fail_once)
    with LeaseRenewer(app, 3).renewing(uploading) as lease:
        lease.received = 7
        wait_for(uploading, 7, 0)

    assert tries == [7, 7]


def test_a_database_that_hangs_does_not_delay_the_upload(
    app: Flask, uploading: FileRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    called, released = threading.Event(), threading.Event()
    monkeypatch.setattr(transitions, "progress", lambda *_: called.set() or released.wait(10))
    with LeaseRenewer(app, 600).renewing(uploading) as lease:
        lease.received = 7
        assert called.wait(5)
        lease.upload = stored(5)
        lease.check()
        assert lease.counts() == (7, 5)
        released.set()


def test_a_lease_is_lost_when_progress_cannot_be_written(app: Flask, uploading: FileRow) -> None:
    assert transitions.set_error(uploading, "server-stopped")
    with LeaseRenewer(app, 600).renewing(uploading) as lease:
        lease.received = 7
        assert eventually(lease._lost.is_set)
        with pytest.raises(LeaseLost):
            lease.check()

    assert reload(uploading).received_bytes == 0


def test_the_thread_ends_with_the_last_lease_and_restarts(app: Flask) -> None:
    renewer = LeaseRenewer(app, SECONDS)
    with renewer.renewing(FakeRow()):
        thread = renewer._thread
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive()

    row = FakeRow()
    with renewer.renewing(row):
        assert row.heartbeats.acquire(timeout=5)
