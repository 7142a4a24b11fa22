"""The outbox: a subscriber is called at least once for every COMPLETE file, whatever fails."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from sqlalchemy import text

from lifecycle import attempts, outbox, transitions
from lifecycle.delivery import MAX_ATTEMPTS, Outbox, retry_delay
from models import FileRow, UploadStatus, db
from tests.conftest import drain
from tests.fakes import services_of
from tests.harness.factories import BODY, EXPIRED, claim, claimed_file, complete, reload


class Recorder:
    """A subscriber that records its calls, and fails as often as `failures` says."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.failures = 0

    def __call__(self, row: FileRow) -> None:
        self.called.append(row.id)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the subscriber failed")


@pytest.fixture
def recorder(app: Flask) -> Recorder:
    recorder = Recorder()
    services_of(app).outbox.register("recorder", recorder)
    return recorder


def entries() -> list[Any]:
    with db.engine.connect() as connection:
        return list(connection.execute(text("SELECT subscriber, file_id, attempt FROM outbox")))


def deliver_due(app: Flask) -> None:
    """Deliver all entries, however long they were deferred."""
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET due_at = 0 WHERE due_at IS NOT NULL"))
    services_of(app).outbox.deliver_due()
    drain(app)


class Crash(BaseException):
    """The process dies here."""


@pytest.fixture
def left_behind(app: Flask, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> FileRow:
    """A COMPLETE file whose process died between the commit and the calls."""
    row = claimed_file()
    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "deliver", lambda self, ids: None)
        assert complete(row)
    return row


def test_a_subscriber_is_called_for_a_complete_file_and_its_entry_removed(app: Flask, recorder: Recorder) -> None:
    row = claimed_file()

    assert complete(row)
    drain(app)

    assert recorder.called == [row.id]
    assert entries() == []


def test_an_object_that_an_earlier_attempt_stored_is_followed_too(app: Flask, recorder: Recorder) -> None:
    row = claimed_file("async", EXPIRED)
    services_of(app).storage.put(row.key, iter([BODY]), content_type="text/plain")
    assert attempts.recover_if_stored(reload(row))
    drain(app)

    assert recorder.called == [row.id]


def test_a_file_without_subscribers_costs_no_entry(app: Flask) -> None:
    assert complete(claimed_file())
    assert entries() == []


def test_an_entry_is_written_if_and_only_if_the_file_becomes_complete(
    app: Flask, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = claimed_file()
    monkeypatch.setattr(outbox, "add", Mock(side_effect=Crash))
    with pytest.raises(Crash):
        complete(row)

    assert reload(row).upload_status == UploadStatus.PROCESSING


def test_an_attempt_that_lost_its_file_adds_no_entry(app: Flask, recorder: Recorder) -> None:
    row = claimed_file()
    assert transitions.requeue(reload(row), "storage-unavailable", 0)
    claim(row)

    assert not complete(row)
    drain(app)

    assert entries() == []
    assert recorder.called == []


def test_the_sweep_delivers_what_a_dead_process_left(app: Flask, recorder: Recorder, left_behind: FileRow) -> None:
    assert entries() == [("recorder", left_behind.id, 0)]

    services_of(app).outbox.deliver_due()
    drain(app)

    assert recorder.called == [left_behind.id]
    assert entries() == []


def test_a_failed_call_is_repeated_until_it_succeeds(app: Flask, recorder: Recorder) -> None:
    row, recorder.failures = claimed_file(), 2
    assert complete(row)
    drain(app)
    assert entries() == [("recorder", row.id, 1)]

    deliver_due(app)
    deliver_due(app)

    assert recorder.called == [row.id] * 3
    assert entries() == []
    assert reload(row).upload_status == UploadStatus.COMPLETE


def test_a_failed_call_is_not_repeated_before_its_delay(app: Flask, recorder: Recorder) -> None:
    recorder.failures = 1
    assert complete(claimed_file())
    drain(app)

    services_of(app).outbox.deliver_due()
    drain(app)

    assert len(recorder.called) == 1


def test_the_number_of_attempts_is_bounded(app: Flask, recorder: Recorder) -> None:
    row, recorder.failures = claimed_file(), 1000
    assert complete(row)
    drain(app)
    for _ in range(MAX_ATTEMPTS + 2):
        deliver_due(app)

    assert len(recorder.called) == MAX_ATTEMPTS
    assert entries() == [("recorder", row.id, MAX_ATTEMPTS)]


def test_an_entry_that_ends_every_process_is_given_up(app: Flask, recorder: Recorder, left_behind: FileRow) -> None:
    with db.engine.begin() as connection:
        connection.execute(text(f"UPDATE outbox SET attempt = {MAX_ATTEMPTS}"))

    deliver_due(app)

    assert recorder.called == []
    assert outbox.due(["recorder"], 10) == []


def test_an_entry_that_was_given_up_is_pruned_after_its_retention(app: Flask, recorder: Recorder) -> None:
    assert complete(claimed_file())
    drain(app)
    recorder.failures = 1000
    assert complete(claimed_file())
    drain(app)
    for _ in range(MAX_ATTEMPTS):
        deliver_due(app)

    assert outbox.prune(3600) == 0
    assert outbox.prune(-1) == 1
    assert entries() == []


def test_two_processes_do_not_call_a_subscriber_twice(app: Flask, recorder: Recorder, left_behind: FileRow) -> None:
    (id,) = outbox.due(["recorder"], 10)

    assert outbox.claim(id) is not None
    assert outbox.claim(id) is None


def test_a_call_that_was_taken_over_does_not_end_the_entry(
    app: Flask, recorder: Recorder, left_behind: FileRow
) -> None:
    (id,) = outbox.due(["recorder"], 10)
    first = outbox.claim(id)
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET due_at = 0"))
    second = outbox.claim(id)

    assert first
    assert second
    assert (first.attempt, second.attempt) == (1, 2)
    assert not outbox.remove(id, first.attempt)
    assert not outbox.defer(id, first.attempt, 0)
    assert outbox.remove(id, second.attempt)


def test_an_entry_waits_for_a_process_that_knows_its_subscriber(
    app: Flask, recorder: Recorder, left_behind: FileRow
) -> None:

    assert outbox.due(["another"], 10) == []
    assert len(outbox.due(["another", "recorder"], 10)) == 1


def test_a_deleted_file_needs_no_call(app: Flask, recorder: Recorder, left_behind: FileRow) -> None:
    assert transitions.mark_deleted(left_behind)

    services_of(app).outbox.deliver_due()
    drain(app)

    assert recorder.called == []
    assert entries() == []


@pytest.mark.parametrize(
    ("attempt", "delay"), [(1, 5.0), (2, 10.0), (8, 640.0), (9, 900.0), (19, 900.0), (20, None), (21, None)]
)
def test_delays_double_up_to_fifteen_minutes(attempt: int, delay: float | None) -> None:
    assert retry_delay(attempt) == delay
