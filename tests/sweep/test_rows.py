"""The sweep over rows: abandoned files are reclaimed, due ones dispatched once."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text

import file
from database import engine
from lifecycle import transitions
from models import UploadStatus
from tests.harness.factories import EXPIRED, claim, claimed_file, pending_file, pending_row, reload
from tests.sweep.conftest import sweep


@pytest.mark.parametrize("mode", ["async", "celery"])
def test_an_abandoned_file_is_reclaimed_and_dispatched(app: Flask, mode: file.Mode) -> None:
    row = claimed_file(mode, EXPIRED)
    dispatched: list[str] = []
    report = sweep(lambda row: dispatched.append(row.id))

    assert reload(row).upload_status == UploadStatus.PENDING
    assert dispatched == [row.id]
    assert (report.counts["reclaimed"], report.counts["dispatched"]) == (1, 1)


def test_an_abandoned_file_of_normal_mode_fails(app: Flask) -> None:
    row = claimed_file("normal", EXPIRED)
    sweep()

    assert (reload(row).upload_status, reload(row).error) == (UploadStatus.ERROR, "server-stopped")


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_a_file_under_a_lease_is_left_alone(app: Flask, mode: file.Mode) -> None:
    row = claimed_file(mode)

    assert sweep().found == []
    assert reload(row).attempt == 1


def test_a_file_that_crashes_its_worker_fails_after_max_attempts(app: Flask) -> None:
    row = pending_file()
    for _ in range(5):
        claim(row, EXPIRED)
        sweep()

    assert (reload(row).upload_status, reload(row).error) == (UploadStatus.ERROR, "attempts-exhausted")


def test_a_redelivered_task_gives_a_file_no_more_attempts(app: Flask) -> None:
    row = pending_file("celery")
    for _ in range(5):
        claim(row, EXPIRED)
    file.upload_file(row.id)

    assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.ERROR, 5)


def test_the_previous_worker_can_no_longer_change_a_reclaimed_file(app: Flask) -> None:
    row = claimed_file("async", EXPIRED)
    old = reload(row)
    sweep()
    claim(row)

    assert not transitions.set_complete(old, url="u", size=1, sha256="0" * 64)
    assert not transitions.set_error(old, "storage-denied")
    assert not transitions.requeue(old, "storage-unavailable", 0)
    assert not transitions.fail_abandoned(old, "server-stopped")


def test_a_pending_file_is_dispatched_only_when_it_is_due(app: Flask) -> None:
    row = pending_file()
    row = claim(row)
    assert transitions.requeue(row, "storage-unavailable", 1000)

    assert sweep().found == []
    row = claim(row)
    assert transitions.requeue(row, "storage-unavailable", 0)
    assert sweep().found == [("dispatched", row.id)]


def test_a_dispatched_file_is_not_dispatched_again_at_once(app: Flask) -> None:
    """Else each sweep adds a task to the queue of a busy worker."""
    row = claimed_file("celery")
    assert transitions.requeue(row, "relay-lost", 0)

    assert sweep().counts["dispatched"] == 1
    assert sweep().counts["dispatched"] == 0


def test_a_file_that_was_not_dispatched_is_not_reported(app: Flask) -> None:
    row = claimed_file("celery")
    assert transitions.requeue(row, "relay-lost", 0)

    assert sweep(lambda row: False).counts["dispatched"] == 0


def test_an_unclaimed_file_is_dispatched_again_within_an_hour(app: Flask) -> None:
    row = claimed_file("celery")
    assert transitions.requeue(row, "relay-lost", 0)
    engine.execute(text("UPDATE files SET updated_at = updated_at - 90000"))
    assert sweep().counts["dispatched"] == 1

    assert 3500 < (reload(row).due_at or 0) - engine.now() < 3700


def test_one_of_two_sweeps_dispatches(app: Flask) -> None:
    row = claimed_file("celery")
    assert transitions.requeue(row, "relay-lost", 0)
    first, second = reload(row), reload(row)

    assert transitions.mark_dispatched(first, 30)
    assert not transitions.mark_dispatched(second, 30)


def test_a_file_in_the_spool_of_another_host_is_left_alone(app: Flask) -> None:
    pending_row(lease=EXPIRED, spool="another spool")

    assert sweep().found == []


def test_a_dry_run_changes_no_file(app: Flask) -> None:
    rows = [claimed_file(mode, EXPIRED) for mode in ("normal", "async")]
    report = sweep(dry=True)

    assert report.counts["ended"] == report.counts["reclaimed"] == 1
    assert [reload(row).upload_status for row in rows] == ["PROCESSING", "PROCESSING"]
