"""The one road: a file is received, accepted and stored, by one holder at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

import file
from lifecycle import queries, transitions
from models import File, UploadStatus
from problems import IncompleteBody, LeaseLost
from services import current_services
from tests.fakes import FailingStorage, breaking, chunks, reload, replace_services

BODY = b"what was sent"


@pytest.fixture
def waiting(app: Flask) -> File:
    """A file whose bytes are in the spool."""
    row = file.new_file("a.txt", "text/plain", "async")
    file.receive(row, iter([BODY[:4], BODY[4:]]))
    return row


@pytest.fixture
def held(app: Flask) -> File:
    """A file of normal mode that this test holds."""
    row = file.new_file("a.txt", "text/plain", "normal")
    transitions.insert(row, 30, status=UploadStatus.PROCESSING)
    return row


def test_two_files_of_one_name_in_one_second_have_keys_of_their_own(app: Flask) -> None:
    rows = [file.new_file("a.pdf", "application/pdf", "normal") for _ in range(100)]

    assert len({row.key for row in rows}) == 100
    assert all(row.key.startswith(row.id) and row.key.endswith("--a.pdf") for row in rows)


def test_receiving_leaves_the_bytes_in_the_spool_and_the_row_waiting(waiting: File) -> None:
    row = reload(waiting)

    assert b"".join(current_services().spool.open(row.id)) == BODY
    assert (row.upload_status, row.size) == (UploadStatus.PENDING, len(BODY))
    assert row.sha256 == hashlib.sha256(BODY).hexdigest()


def test_a_body_that_breaks_while_it_is_received_leaves_no_row_and_no_spool_file(app: Flask) -> None:
    row = file.new_file("a.txt", "text/plain", "async")
    with pytest.raises(IncompleteBody):
        file.receive(row, breaking(b"half", IncompleteBody()))

    assert queries.get(row.id) is None
    assert list(current_services().spool.files()) == []


@pytest.mark.parametrize("committed", [False, True])
def test_bytes_whose_row_may_have_been_committed_stay(
    app: Flask, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    accept = transitions.insert

    def lost_answer(row: File, lease: float) -> None:
        if committed:
            accept(row, lease)
        raise OperationalError("INSERT", {}, Exception("the server closed the connection"))

    monkeypatch.setattr(transitions, "insert", lost_answer)
    row = file.new_file("a.txt", "text/plain", "async")
    with pytest.raises(OperationalError):
        file.receive(row, iter([BODY]))

    assert b"".join(current_services().spool.open(row.id)) == BODY
    assert (queries.get(row.id) is not None) == committed


def test_bytes_whose_row_was_committed_stay_whatever_else_fails(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    accept = transitions.insert

    def interrupted(row: File, lease: float) -> None:
        accept(row, lease)
        raise RuntimeError

    monkeypatch.setattr(transitions, "insert", interrupted)
    row = file.new_file("a.txt", "text/plain", "async")
    with pytest.raises(RuntimeError):
        file.receive(row, iter([BODY]))

    assert current_services().spool.has(row.id)


def test_a_database_that_is_away_is_told_before_the_bytes_are_read(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("SELECT", {}, Exception("connection refused"))

    monkeypatch.setattr(file, "ping", away)
    stream = iter([BODY])
    with pytest.raises(OperationalError):
        file.receive(file.new_file("a.txt", "text/plain", "async"), stream)

    assert next(stream) == BODY


def test_a_row_that_cannot_be_written_leaves_no_spool_file(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(row: File, lease: float) -> None:
        raise OSError("database is away")

    monkeypatch.setattr(transitions, "insert", away)
    with pytest.raises(OSError, match="away"):
        file.receive(file.new_file("a.txt", "text/plain", "async"), iter([BODY]))

    assert list(current_services().spool.files()) == []


def test_a_file_from_the_spool_becomes_complete_and_leaves_the_spool(waiting: File) -> None:
    file.upload_file(waiting.id)

    row = reload(waiting)
    assert (row.upload_status, row.stored_bytes) == (UploadStatus.COMPLETE, len(BODY))
    assert row.url == f"https://cdn.example.com/{row.key}"
    assert b"".join(current_services().storage.open(row.key)) == BODY
    assert list(current_services().spool.files()) == []


def test_a_second_order_to_store_a_file_does_nothing(waiting: File) -> None:
    file.upload_file(waiting.id)
    file.upload_file(waiting.id)
    file.upload_file_from_stream(waiting.id, lambda row: iter([b"other bytes"]))

    assert reload(waiting).attempt == 1
    assert b"".join(current_services().storage.open(waiting.key)) == BODY


def test_an_order_for_a_file_that_is_not_there_does_nothing(app: Flask) -> None:
    file.upload_file("01a1f879-1306-720a-b077-d2a2b2fc6e4b")


@pytest.mark.parametrize("other", [b"", BODY[:-1], BODY + b"!", b"x" * len(BODY)])
def test_bytes_that_are_not_those_received_never_become_an_object(waiting: File, other: bytes) -> None:
    file.upload_file_from_stream(waiting.id, lambda row: iter([other]))

    assert (reload(waiting).upload_status, reload(waiting).error) == (UploadStatus.PENDING, "bytes-damaged")
    assert list(current_services().storage.list_objects()) == []
    assert current_services().spool.path(waiting.id).exists()


def test_the_row_is_there_before_the_first_byte_leaves(app: Flask, held: File) -> None:
    def watched() -> Iterator[bytes]:
        assert reload(held).upload_status == UploadStatus.PROCESSING
        yield BODY

    file.store(held, watched())

    assert reload(held).sha256 == hashlib.sha256(BODY).hexdigest()


def test_a_holder_that_was_overtaken_touches_nothing(app: Flask, waiting: File) -> None:
    """Its lease runs out while it works; another takes the file; its own end must not show."""

    stale = reload(waiting)
    assert transitions.claim(stale, -1)
    rival = reload(waiting)
    assert transitions.claim(rival, 30)

    with pytest.raises(LeaseLost):
        file.store(stale, iter([BODY]))

    assert (reload(waiting).upload_status, reload(waiting).attempt) == (UploadStatus.PROCESSING, 2)
    assert current_services().spool.path(waiting.id).exists()


def test_a_lease_that_is_lost_while_the_storage_works_is_noticed_before_the_end(app: Flask, held: File) -> None:
    """Its object is not called complete even where the row would still allow it."""

    class Stolen(FailingStorage):
        def put(self, *args: Any, **kwargs: Any) -> Any:
            found = super().put(*args, **kwargs)
            current_services().leases.revoke_all()
            return found

    replace_services(app, storage=Stolen())
    with pytest.raises(LeaseLost):
        file.store(held, iter([BODY]))

    assert reload(held).upload_status == UploadStatus.PROCESSING


def test_text_for_a_task_is_the_base64_of_the_bytes(waiting: File) -> None:
    assert file.process_file_to_stream(waiting.id, as_text=True) == "d2hhdCB3YXMgc2VudA=="
    assert b"".join(file.process_file_to_stream(waiting.id)) == BODY


def test_chunks_of_any_size_go_through(app: Flask, held: File) -> None:
    file.store(held, chunks(1, 0, 70_000, 3))

    assert reload(held).size == 70_004
