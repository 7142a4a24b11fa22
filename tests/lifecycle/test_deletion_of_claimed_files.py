"""Deleting a file that a worker has claimed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

import file
from lifecycle import deletion, queries, transitions
from models import FileRow
from problems import Deleted
from services import current_services
from sweep.report import Report
from sweep.rows import sweep_files
from tests.harness.factories import EXPIRED, LEASE, claimed_file, reload
from tests.lifecycle.deletion_helpers import remaining, sweep


@pytest.fixture
def claimed(app: Flask) -> FileRow:
    return claimed_file("async", body=b"1234")


def test_a_worker_cannot_end_a_deleted_file(claimed: FileRow) -> None:
    assert deletion.delete(reload(claimed))

    assert not transitions.heartbeat(claimed, LEASE)
    assert not transitions.set_complete(claimed, url="", size=4, sha256="0" * 64)
    assert not transitions.set_error(claimed, "storage-denied")
    assert not transitions.requeue(claimed, "storage-denied", 0)
    assert not transitions.claim(claimed, LEASE)


def test_deletion_stops_an_upload_in_progress_and_leaves_nothing(app: Flask) -> None:
    row = claimed_file("async", body=b"1234")

    def body() -> Iterator[bytes]:
        yield b"12"
        deletion.delete(reload(row))
        yield b"34"

    with pytest.raises(Deleted):
        file.store(row, body())
    assert queries.get(row.id) is None


def test_the_object_of_a_claimed_file_is_removed_once_the_lease_has_expired(app: Flask) -> None:
    row = claimed_file("async", 0.2, body=b"1234")
    deletion.delete(reload(row))
    assert sweep().counts["removed"] == 0

    # The worker was suspended, and resumes too late.
    current_services().storage.put(row.key, iter([b"1234"]), content_type="text/plain")
    while not sweep().counts["removed"]:
        pass
    assert remaining() == (0, 0, 0)


def test_the_sweep_does_not_reclaim_a_deleted_file(app: Flask) -> None:
    row = claimed_file("async", EXPIRED)
    deletion.delete(reload(row))
    report = Report()
    sweep_files(report, lambda row: pytest.fail("dispatched"))

    assert report.found == []
