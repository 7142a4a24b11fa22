"""What the sweep does about each thing it finds: the tables of its rules."""

from __future__ import annotations

import time

import pytest
from flask import Flask

import file
from models import File, UploadStatus
from sweep.rules import created_at, id_in, is_exhausted, is_orphan_object, is_orphan_spool_file, is_orphan_upload


def row_in(status: UploadStatus, mode: str = "async", attempt: int = 1, before: int = 0) -> File:
    return File(upload_status=status, mode=mode, attempt=attempt, attempts_before=before)


PENDING, PROCESSING, COMPLETE, ERROR = (row_in(status) for status in UploadStatus)


@pytest.mark.parametrize(
    ("row", "age", "object_kept", "object_free"),
    [
        (None, 99, False, False),
        (None, 101, True, True),
        (PENDING, 9999, False, False),
        (PROCESSING, 9999, False, False),
        (COMPLETE, 9999, False, False),
        (ERROR, 0, False, True),
    ],
)
def test_what_is_left_over(row: File | None, age: float, object_kept: bool, object_free: bool) -> None:
    assert is_orphan_object(row, age, 100, can_retry=True) is object_kept
    assert is_orphan_object(row, age, 100, can_retry=False) is object_free


@pytest.mark.parametrize(
    ("row", "age", "grace", "quiet", "left"),
    [
        (None, 99, 100, 0, False),
        (None, 101, 100, 0, True),
        (None, 9999, float("inf"), 0, False),
        (PROCESSING, 9999, 100, 9999, False),
        *((row, 9999, 86400, quiet, quiet > 900) for row in (COMPLETE, ERROR) for quiet in (0, 600, 899, 901)),
        (PENDING, 9999, 100, 9999, False),
        (ERROR, 9999, float("inf"), 901, True),
        (ERROR, 9999, 100, 101, True),
    ],
)
def test_an_upload_is_left_once_no_complete_can_be_under_way(
    row: File | None, age: float, grace: float, quiet: float, left: bool
) -> None:
    assert is_orphan_upload(row, age, grace, quiet) is left


@pytest.mark.parametrize(
    ("row", "age", "ended", "left"),
    [
        (None, 99, 0, False),
        (None, 101, 0, True),
        (PENDING, 9999, 9999, False),
        (PROCESSING, 9999, 9999, False),
        (COMPLETE, 0, 0, True),
        (ERROR, 9999, 49, False),
        (ERROR, 0, 51, True),
    ],
)
def test_which_bytes_are_left_over(row: File | None, age: float, ended: float, left: bool) -> None:
    assert is_orphan_spool_file(row, age, 100, ended, 50) is left


@pytest.mark.parametrize(
    ("row", "spent"),
    [
        (row_in(PROCESSING.upload_status, "normal"), True),
        (row_in(PROCESSING.upload_status, attempt=4), False),
        (row_in(PROCESSING.upload_status, attempt=5), True),
        (row_in(PROCESSING.upload_status, attempt=9, before=5), False),
        (row_in(PROCESSING.upload_status, attempt=10, before=5), True),
    ],
)
def test_which_files_have_had_their_chances(row: File, spent: bool) -> None:
    assert is_exhausted(row, 5) is spent


def test_an_id_is_read_only_out_of_keys_that_ferry_makes(app: Flask) -> None:
    row = file.new_file("a b.pdf", "text/plain", "async")
    assert id_in(row.key, "") == row.id
    assert id_in(f"p/{row.key}", "p/") == row.id
    assert id_in(row.key, "p/") is None
    assert id_in(f"p/{row.key}", "") is None
    assert id_in(f"{row.id}--x", "") is None
    assert abs(created_at(row.id) - time.time()) < 5
