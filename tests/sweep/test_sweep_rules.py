"""The rules of the sweep, as tables."""

from __future__ import annotations

import time

import pytest
from flask import Flask

from lifecycle.attempts import is_exhausted
from models import FileRow, UploadStatus
from sweep.rules import (
    created_at,
    is_orphan_multipart_upload,
    is_orphan_object,
    is_orphan_spool_file,
    parse_file_id,
)
from tests.harness.factories import file_value, unsaved_file

PENDING, PROCESSING, COMPLETE, ERROR = (file_value(status) for status in UploadStatus)


@pytest.mark.parametrize(
    ("row", "age", "retryable", "not_retryable"),
    [
        (None, 99, False, False),
        (None, 101, True, True),
        (PENDING, 9999, False, False),
        (PROCESSING, 9999, False, False),
        (COMPLETE, 9999, False, False),
        (ERROR, 0, False, True),
    ],
)
def test_orphan_objects(row: FileRow | None, age: float, retryable: bool, not_retryable: bool) -> None:
    assert is_orphan_object(row, age, 100, can_retry=True) is retryable
    assert is_orphan_object(row, age, 100, can_retry=False) is not_retryable


@pytest.mark.parametrize(
    ("row", "age", "grace", "unchanged", "orphan"),
    [
        (None, 99, 100, 0, False),
        (None, 101, 100, 0, True),
        (None, 9999, float("inf"), 0, False),
        (PROCESSING, 9999, 100, 9999, False),
        *(
            (row, 9999, 86400, unchanged, unchanged > 900)
            for row in (COMPLETE, ERROR)
            for unchanged in (0, 600, 899, 901)
        ),
        (PENDING, 9999, 100, 9999, False),
        (ERROR, 9999, float("inf"), 901, True),
        (ERROR, 9999, 100, 101, True),
    ],
)
def test_an_upload_is_an_orphan_once_no_attempt_can_complete_it(
    row: FileRow | None, age: float, grace: float, unchanged: float, orphan: bool
) -> None:
    assert is_orphan_multipart_upload(row, age, grace, unchanged) is orphan


@pytest.mark.parametrize(
    ("row", "age", "unchanged", "orphan"),
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
def test_orphan_spool_files(row: FileRow | None, age: float, unchanged: float, orphan: bool) -> None:
    assert is_orphan_spool_file(row, age, 100, unchanged, 50) is orphan


@pytest.mark.parametrize(
    ("row", "exhausted"),
    [
        (file_value("PROCESSING", mode="normal", attempt=1), True),
        (file_value("PROCESSING", attempt=4), False),
        (file_value("PROCESSING", attempt=5), True),
        (file_value("PROCESSING", attempt=9, attempts_before=5), False),
        (file_value("PROCESSING", attempt=10, attempts_before=5), True),
    ],
)
def test_exhausted_files(row: FileRow, exhausted: bool) -> None:
    assert is_exhausted(row.mode, row.attempts_made, 5) is exhausted


def test_ids_are_parsed_only_from_keys_that_ferry_makes(app: Flask) -> None:
    row = unsaved_file(name="a b.pdf")
    assert parse_file_id(row.key, "") == row.id
    assert parse_file_id(f"p/{row.key}", "p/") == row.id
    assert parse_file_id(row.key, "p/") is None
    assert parse_file_id(f"p/{row.key}", "") is None
    assert parse_file_id(f"{row.id}--x", "") is None
    assert abs(created_at(row.id) - time.time()) < 5
