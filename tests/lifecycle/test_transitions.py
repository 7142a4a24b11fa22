"""Transitions: which are allowed when, and which of several wins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from flask import Flask

from lifecycle import queries, transitions
from models import FILES, File, FileRow, UploadStatus, db
from tests.harness.factories import EXPIRED, LEASE, claim, claimed_file, pending_row, reload


@pytest.fixture
def pending(app: Flask) -> FileRow:
    return pending_row(name="a.pdf")


def test_an_inserted_file_is_pending(pending: FileRow) -> None:
    row = reload(pending)

    assert (row.upload_status, row.attempt, row.lease_until, row.error) == (UploadStatus.PENDING, 0, None, None)
    assert (row.name, row.key, row.size, row.stored_bytes) == ("a.pdf", pending.key, 3, 0)
    assert abs(row.created_at - time.time()) < 5


def test_a_file_can_be_inserted_as_claimed(app: Flask) -> None:
    row = claimed_file()

    assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.PROCESSING, 1)
    assert not transitions.claim(reload(row), LEASE)


def test_the_key_is_the_same_for_every_attempt(pending: FileRow) -> None:
    for _ in range(3):
        assert transitions.requeue(claim(pending), "storage-unavailable", 0)

    assert reload(pending).key == pending.key
    assert reload(pending).attempt == 3


def test_a_claimed_file_cannot_be_claimed(pending: FileRow) -> None:
    assert transitions.claim(reload(pending), LEASE)
    assert not transitions.claim(reload(pending), LEASE)


def test_one_of_many_concurrent_claims_wins(app: Flask, pending: FileRow) -> None:
    start = threading.Barrier(8)

    def claim(_: int) -> bool:
        with app.app_context():
            row = reload(pending)
            start.wait()
            return transitions.claim(row, LEASE) is not None

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(claim, range(8))) == [False] * 7 + [True]


def test_a_file_can_be_claimed_once_its_lease_has_expired(pending: FileRow) -> None:
    first = claim(pending, EXPIRED)
    second = claim(pending)

    assert (first.attempt, second.attempt) == (1, 2)


def test_leases_use_the_databases_clock(pending: FileRow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose clock is a day ahead must not claim files under a lease."""
    assert transitions.claim(reload(pending), LEASE)
    ahead = time.time() + 86400
    monkeypatch.setattr(time, "time", lambda: ahead)

    assert not transitions.claim(reload(pending), LEASE)


def test_a_heartbeat_renews_the_lease(pending: FileRow) -> None:
    assert transitions.heartbeat(claim(pending, EXPIRED), LEASE)

    assert not transitions.claim(reload(pending), LEASE)


def test_a_heartbeat_changes_nothing_but_the_lease(pending: FileRow) -> None:
    claimed = claim(pending)
    before = reload(pending)
    time.sleep(0.01)
    assert transitions.heartbeat(claimed, 2 * LEASE)

    after = reload(pending)
    assert after == before._replace(lease_until=after.lease_until)
    assert after.lease_until != before.lease_until


def test_progress_renews_the_lease_and_updates_the_row(pending: FileRow) -> None:
    claimed = claim(pending, EXPIRED)
    before = reload(pending)
    time.sleep(0.01)
    assert transitions.progress(claimed, LEASE, 3, 2)

    after = reload(pending)
    assert (after.received_bytes, after.stored_bytes) == (3, 2)
    assert after.updated_at > before.updated_at
    assert not transitions.claim(reload(pending), LEASE)


def test_a_claim_resets_the_stored_bytes(pending: FileRow) -> None:
    for end in (lambda row: transitions.requeue(row, "storage-unavailable", 0), lambda row: True):
        claimed = claim(pending, EXPIRED)
        assert transitions.progress(claimed, EXPIRED, 3, 2)
        assert end(claimed)
    claimed = claim(pending)

    assert (claimed.stored_bytes, reload(pending).stored_bytes) == (0, 0)


@pytest.mark.parametrize("transition", ["heartbeat", "progress", "complete", "fail", "requeue"])
def test_a_worker_that_lost_its_claim_changes_nothing(pending: FileRow, transition: str) -> None:
    """Fencing: the attempt number decides, not the order of the updates."""
    stale = claim(pending, EXPIRED)
    claim(pending)
    before = reload(pending)

    assert not apply(stale, transition)

    assert reload(pending) == before


@pytest.mark.parametrize("end", ["complete", "fail"])
@pytest.mark.parametrize("transition", ["heartbeat", "progress", "complete", "fail", "requeue"])
def test_an_ended_file_does_not_change(pending: FileRow, end: str, transition: str) -> None:
    claimed = claim(pending)
    assert apply(claimed, end)
    status = reload(pending).upload_status

    assert not apply(claimed, transition)
    assert not transitions.claim(reload(pending), LEASE)
    assert reload(pending).upload_status == status


def test_a_complete_file_has_its_url_and_no_error(pending: FileRow) -> None:
    transitions.requeue(claim(pending), "storage-unavailable", 0)
    assert transitions.set_complete(claim(pending), url="https://cdn/x", size=3, sha256="1" * 64)

    row = reload(pending)
    assert (row.upload_status, row.url, row.error) == (UploadStatus.COMPLETE, "https://cdn/x", None)
    assert (row.size, row.stored_bytes, row.sha256, row.lease_until) == (3, 3, "1" * 64, None)


def test_a_requeued_file_is_pending_with_its_reason(pending: FileRow) -> None:
    transitions.requeue(claim(pending), "storage-unavailable", 60)

    row = reload(pending)
    assert (row.upload_status, row.error, row.lease_until) == (UploadStatus.PENDING, "storage-unavailable", None)
    assert row.due_at is not None
    assert 50 < row.due_at - datetime.now(UTC).timestamp() < 70


@pytest.mark.parametrize(
    "transition",
    [
        lambda row: transitions.set_complete(row, url="https://cdn/x", size=3, sha256="1" * 64),
        lambda row: transitions.set_error(row, "storage-denied"),
        lambda row: transitions.requeue(row, "storage-unavailable", 60),
        transitions.mark_deleted,
    ],
    ids=["complete", "error", "requeue", "delete"],
)
def test_a_transition_returns_the_new_row(pending: FileRow, transition: Callable[[FileRow], FileRow | None]) -> None:
    claimed = claim(pending)
    assert claimed == reload(pending)

    assert transition(claimed) == queries.get_many([pending.id])[pending.id]


def test_a_row_has_the_columns_of_the_model(pending: FileRow) -> None:
    assert FileRow._fields == tuple(FILES.c.keys())
    assert db.session.get(File, pending.id).key == pending.key


def apply(row: FileRow, transition: str) -> object:
    return {
        "heartbeat": lambda: transitions.heartbeat(row, LEASE),
        "progress": lambda: transitions.progress(row, LEASE, 2, 1),
        "complete": lambda: transitions.set_complete(row, url="u", size=1, sha256="2" * 64),
        "fail": lambda: transitions.set_error(row, "storage-denied"),
        "requeue": lambda: transitions.requeue(row, "storage-unavailable", 1),
    }[transition]()
