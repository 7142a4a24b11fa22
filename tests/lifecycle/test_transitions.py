"""The moves of a file's life: who may do what, and who wins."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from flask import Flask

import file
from lifecycle import transitions
from models import File, UploadStatus
from tests.fakes import reload

LEASE = 30.0
PAST = -1.0


@pytest.fixture
def pending(app: Flask) -> File:
    row = file.new_file("a.pdf", "application/pdf", "async")
    row.size, row.sha256 = 3, "0" * 64
    transitions.insert(row, LEASE)
    return row


def test_an_accepted_file_waits_and_can_be_found(pending: File) -> None:
    row = reload(pending)

    assert (row.upload_status, row.attempt, row.lease_until, row.error) == (UploadStatus.PENDING, 0, None, None)
    assert (row.name, row.key, row.size, row.stored_bytes) == ("a.pdf", pending.key, 3, 0)
    assert abs(row.created_at - time.time()) < 5


def test_a_file_accepted_with_a_lease_is_held_at_once(app: Flask) -> None:
    row = file.new_file("a.pdf", "application/pdf", "normal")
    transitions.insert(row, LEASE, status=UploadStatus.PROCESSING)

    assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.PROCESSING, 1)
    assert not transitions.claim(reload(row), LEASE)


def test_the_key_does_not_change_from_attempt_to_attempt(pending: File) -> None:
    for _ in range(3):
        assert transitions.claim(pending, LEASE)
        assert transitions.requeue(pending, "storage-unavailable", 0)

    assert reload(pending).key == pending.key
    assert reload(pending).attempt == 3


def test_the_first_to_claim_a_file_has_it(pending: File) -> None:
    assert transitions.claim(reload(pending), LEASE)
    assert not transitions.claim(reload(pending), LEASE)


def test_of_many_who_claim_at_once_one_wins(app: Flask, pending: File) -> None:
    start = threading.Barrier(8)

    def claim(_: int) -> bool:
        with app.app_context():
            row = reload(pending)
            start.wait()
            return transitions.claim(row, LEASE)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(claim, range(8))) == [False] * 7 + [True]


def test_a_lease_that_ran_out_frees_the_file(pending: File) -> None:
    first, second = reload(pending), reload(pending)
    assert transitions.claim(first, PAST)

    assert transitions.claim(second, LEASE)
    assert (first.attempt, second.attempt) == (1, 2)


def test_leases_go_by_the_clock_of_the_database(pending: File, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is a day ahead must not take what others hold."""
    assert transitions.claim(reload(pending), LEASE)
    ahead = time.time() + 86400
    monkeypatch.setattr(time, "time", lambda: ahead)

    assert not transitions.claim(reload(pending), LEASE)


def test_a_heartbeat_keeps_the_file(pending: File) -> None:
    assert transitions.claim(pending, PAST)
    assert transitions.heartbeat(pending, LEASE)

    assert not transitions.claim(reload(pending), LEASE)


def test_nobody_sees_a_heartbeat(pending: File) -> None:
    assert transitions.claim(pending, LEASE)
    before = reload(pending)
    time.sleep(0.01)
    assert transitions.heartbeat(pending, 2 * LEASE)

    after = reload(pending)
    changed = {name for name, value in vars(after).items() if value != vars(before)[name]}
    assert changed == {"lease_until", "_sa_instance_state"}


def test_progress_keeps_the_file_and_is_seen(pending: File) -> None:
    assert transitions.claim(pending, PAST)
    before = reload(pending)
    time.sleep(0.01)
    assert transitions.progress(pending, LEASE, 3, 2)

    after = reload(pending)
    assert (after.received_bytes, after.stored_bytes) == (3, 2)
    assert after.updated_at > before.updated_at
    assert not transitions.claim(reload(pending), LEASE)


def test_word_of_progress_that_comes_late_changes_nothing_in_hand(pending: File) -> None:
    """It is written by another thread than the one that ends the file."""
    assert transitions.claim(pending, LEASE)
    before = dict(vars(pending))
    assert transitions.progress(pending, LEASE, 3, 2)
    assert transitions.heartbeat(pending, LEASE)

    assert vars(pending) == before


def test_what_an_attempt_has_stored_does_not_count_for_the_next(pending: File) -> None:
    for end in (lambda: transitions.requeue(pending, "storage-unavailable", 0), lambda: True):
        assert transitions.claim(pending, PAST)
        assert transitions.progress(pending, PAST, 3, 2)
        assert end()
    assert transitions.claim(pending, LEASE)

    assert (pending.stored_bytes, reload(pending).stored_bytes) == (0, 0)


@pytest.mark.parametrize("move", ["heartbeat", "progress", "complete", "fail", "give_back"])
def test_an_overtaken_holder_changes_nothing(pending: File, move: str) -> None:
    """The fence: the attempt's number decides, not who comes last."""
    stale, holder = reload(pending), reload(pending)
    assert transitions.claim(stale, PAST)
    assert transitions.claim(holder, LEASE)
    before = vars(reload(pending)) | {"_sa_instance_state": None}

    assert not move_of(stale, move)

    assert vars(reload(pending)) | {"_sa_instance_state": None} == before


@pytest.mark.parametrize("end", ["complete", "fail"])
@pytest.mark.parametrize("move", ["heartbeat", "progress", "complete", "fail", "give_back"])
def test_an_ended_file_moves_no_more(pending: File, end: str, move: str) -> None:
    assert transitions.claim(pending, LEASE)
    assert move_of(pending, end)
    status = reload(pending).upload_status

    assert not move_of(pending, move)
    assert not transitions.claim(reload(pending), LEASE)
    assert reload(pending).upload_status == status


def test_a_completed_file_has_its_address_and_no_error(pending: File) -> None:
    transitions.claim(pending, LEASE)
    transitions.requeue(pending, "storage-unavailable", 0)
    transitions.claim(pending, LEASE)
    assert transitions.complete(pending, url="https://cdn/x", size=3, sha256="1" * 64)

    row = reload(pending)
    assert (row.upload_status, row.url, row.error) == (UploadStatus.COMPLETE, "https://cdn/x", None)
    assert (row.size, row.stored_bytes, row.sha256, row.lease_until) == (3, 3, "1" * 64, None)


def test_a_file_given_back_waits_with_its_reason(pending: File) -> None:
    transitions.claim(pending, LEASE)
    transitions.requeue(pending, "storage-unavailable", 60)

    row = reload(pending)
    assert (row.upload_status, row.error, row.lease_until) == (UploadStatus.PENDING, "storage-unavailable", None)
    assert row.due_at is not None
    assert 50 < row.due_at - datetime.now(UTC).timestamp() < 70


def test_the_value_in_hand_says_what_the_row_says(pending: File) -> None:
    transitions.claim(pending, LEASE)
    transitions.complete(pending, url="https://cdn/x", size=3, sha256="1" * 64)

    names = [column.name for column in File.__table__.columns if column.name not in ("due_at", "lease_until")]
    assert [getattr(pending, name) for name in names] == [getattr(reload(pending), name) for name in names]


def move_of(row: File, move: str) -> bool:
    if move == "complete":
        return transitions.complete(row, url="u", size=1, sha256="2" * 64)
    if move == "fail":
        return transitions.fail(row, "storage-denied")
    if move == "progress":
        return transitions.progress(row, LEASE, 2, 1)
    return (
        transitions.heartbeat(row, LEASE) if move == "heartbeat" else transitions.requeue(row, "storage-unavailable", 1)
    )
