"""The upload pipeline: a file is received, inserted and stored, by one worker at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

import file
from lifecycle import queries, transitions
from lifecycle.leases import Lease
from lifecycle.storing import checked
from models import FileRow, UploadStatus
from problems import IncompleteBody, LeaseLost
from services import current_services
from storage.base import Stat
from storage.memory import MemoryStorage
from tests.fakes import breaking, chunks
from tests.harness.factories import BODY, EXPIRED, claim, claimed_file, pending_file, reload, unsaved_file


@pytest.fixture
def pending(app: Flask) -> FileRow:
    """A spooled file of mode `async`."""
    return pending_file(body=[BODY[:4], BODY[4:]])


@pytest.fixture
def claimed(app: Flask) -> FileRow:
    """A file of mode `normal`, claimed by this test."""
    return claimed_file()


def test_files_of_one_name_and_second_have_different_keys(app: Flask) -> None:
    rows = [unsaved_file("normal", "a.pdf") for _ in range(100)]

    assert len({row.key for row in rows}) == 100
    assert all(row.key.startswith(row.id) and row.key.endswith("--a.pdf") for row in rows)


def test_receiving_leaves_the_bytes_in_the_spool_and_the_row_waiting(pending: FileRow) -> None:
    row = reload(pending)

    assert b"".join(current_services().spool.open(row.id)) == BODY
    assert (row.upload_status, row.size) == (UploadStatus.PENDING, len(BODY))
    assert row.sha256 == hashlib.sha256(BODY).hexdigest()


def test_an_incomplete_body_leaves_no_row_and_no_spool_file(app: Flask) -> None:
    row = unsaved_file()
    with pytest.raises(IncompleteBody):
        file.receive(row, breaking(b"half", IncompleteBody()))

    assert queries.get(row.id) is None
    assert list(current_services().spool.files()) == []


@pytest.mark.parametrize("committed", [False, True])
def test_bytes_whose_row_may_have_been_committed_stay(
    app: Flask, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    insert = transitions.insert

    def lost_answer(row: FileRow, lease: float) -> None:
        if committed:
            insert(row, lease)
        raise OperationalError("INSERT", {}, Exception("the server closed the connection"))

    monkeypatch.setattr(transitions, "insert", lost_answer)
    row = unsaved_file()
    with pytest.raises(OperationalError):
        file.receive(row, iter([BODY]))

    assert b"".join(current_services().spool.open(row.id)) == BODY
    assert (queries.get(row.id) is not None) == committed


def test_bytes_whose_row_was_committed_stay_after_any_exception(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    insert = transitions.insert

    def interrupted(row: FileRow, lease: float) -> None:
        insert(row, lease)
        raise RuntimeError

    monkeypatch.setattr(transitions, "insert", interrupted)
    row = unsaved_file()
    with pytest.raises(RuntimeError):
        file.receive(row, iter([BODY]))

    assert current_services().spool.has(row.id)


def test_an_unavailable_database_raises_before_the_bytes_are_read(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise OperationalError("SELECT", {}, Exception("connection refused"))

    monkeypatch.setattr(file, "ping", unavailable)
    stream = iter([BODY])
    with pytest.raises(OperationalError):
        file.receive(unsaved_file(), stream)

    assert next(stream) == BODY


def test_a_row_that_cannot_be_inserted_leaves_no_spool_file(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(row: FileRow, lease: float) -> None:
        raise OSError("database is unavailable")

    monkeypatch.setattr(transitions, "insert", unavailable)
    with pytest.raises(OSError, match="unavailable"):
        file.receive(unsaved_file(), iter([BODY]))

    assert list(current_services().spool.files()) == []


def test_a_stored_file_is_complete_and_its_spool_file_deleted(pending: FileRow) -> None:
    file.upload_file(pending.id)

    row = reload(pending)
    assert (row.upload_status, row.stored_bytes) == (UploadStatus.COMPLETE, len(BODY))
    assert row.url == f"memory:/{row.key}"
    assert b"".join(current_services().storage.open(row.key)) == BODY
    assert list(current_services().spool.files()) == []


def test_a_stored_file_is_not_stored_again(pending: FileRow) -> None:
    file.upload_file(pending.id)
    file.upload_file(pending.id)
    file.upload_file_from_stream(pending.id, lambda row: iter([b"other bytes"]))

    assert reload(pending).attempt == 1
    assert b"".join(current_services().storage.open(pending.key)) == BODY


def test_storing_an_unknown_file_does_nothing(app: Flask) -> None:
    file.upload_file("01a1f879-1306-720a-b077-d2a2b2fc6e4b")


@pytest.mark.parametrize("other", [b"", BODY[:-1], BODY + b"!", b"x" * len(BODY)])
def test_other_bytes_than_received_never_become_an_object(pending: FileRow, other: bytes) -> None:
    file.upload_file_from_stream(pending.id, lambda row: iter([other]))

    assert (reload(pending).upload_status, reload(pending).error) == (UploadStatus.PENDING, "bytes-damaged")
    assert list(current_services().storage.list_objects()) == []
    assert current_services().spool.path(pending.id).exists()


def test_the_row_is_committed_before_the_first_byte_is_stored(app: Flask, claimed: FileRow) -> None:
    def body() -> Iterator[bytes]:
        assert reload(claimed).upload_status == UploadStatus.PROCESSING
        yield BODY

    file.store(claimed, body())

    assert reload(claimed).sha256 == hashlib.sha256(BODY).hexdigest()


def test_a_worker_that_lost_its_claim_changes_nothing(app: Flask, pending: FileRow) -> None:
    """Its lease expires during the upload, and another worker claims the file."""
    stale = claim(pending, EXPIRED)
    claim(pending)

    with pytest.raises(LeaseLost):
        file.store(stale, iter([BODY]))

    assert (reload(pending).upload_status, reload(pending).attempt) == (UploadStatus.PROCESSING, 2)
    assert current_services().spool.path(pending.id).exists()


def test_a_lease_lost_during_the_upload_is_noticed_before_the_end(
    claimed: FileRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file does not become COMPLETE even if the row would still allow it."""

    storage = current_services().storage
    assert isinstance(storage, MemoryStorage)
    store = storage.store

    def store_and_lose_lease(*args: Any) -> Stat:
        current_services().leases.revoke_all()
        return store(*args)

    monkeypatch.setattr(storage, "store", store_and_lose_lease)
    with pytest.raises(LeaseLost):
        file.store(claimed, iter([BODY]))

    assert reload(claimed).upload_status == UploadStatus.PROCESSING


def test_the_text_of_a_task_is_the_base64_of_the_bytes(pending: FileRow) -> None:
    assert file.process_file_to_stream(pending.id, as_text=True) == "d2hhdCB3YXMgc2VudA=="
    assert b"".join(file.process_file_to_stream(pending.id)) == BODY


def test_chunks_of_any_size_are_stored(app: Flask, claimed: FileRow) -> None:
    file.store(claimed, chunks(1, 0, 70_000, 3))

    assert reload(claimed).size == 70_004


def test_a_lost_lease_stops_the_stream(app: Flask) -> None:
    lease = Lease(0)
    stream = checked(iter([b"1", b"2", b"3"]), lease, None)
    assert next(stream) == b"1"
    lease.revoke()

    with pytest.raises(LeaseLost):
        next(stream)


def test_received_bytes_are_counted_in_the_lease(app: Flask) -> None:
    lease = Lease(0)
    stream = checked(iter([b"123", b"45"]), lease, None)
    next(stream)
    assert lease.counts() == (3, 0)
    next(stream)

    assert lease.counts() == (5, 0)


@pytest.mark.parametrize("size", [5, 9_000_000])
def test_bytes_that_differ_from_the_spooled_ones_free_their_memory(app: Flask, size: int) -> None:
    row = pending_file(body=bytes(size))
    file.upload_file_from_stream(row.id, lambda _: iter([bytes(size - 1), b"?"]))

    storage = current_services().storage
    assert isinstance(storage, MemoryStorage)
    assert reload(row).error == "bytes-damaged"
    assert list(storage.list_objects()) == []
    assert storage.buffers.free == storage.buffers.made
