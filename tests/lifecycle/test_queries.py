"""Queries: which files they return, in which order."""

from __future__ import annotations

from flask import Flask

from lifecycle import queries
from models import UploadStatus
from tests.harness.factories import claimed_file, pending_row


def test_pages_are_newest_first_and_stable_while_files_are_added(app: Flask) -> None:
    for number in range(5):
        pending_row(name=f"{number}")
    first = queries.page(None, 2)
    pending_row(name="late")

    assert [row.name for row in first] == ["4", "3"]
    assert [row.name for row in queries.page(None, 9, first[-1].id)] == ["2", "1", "0"]


def test_a_page_can_be_filtered_by_status(app: Flask) -> None:
    pending, claimed = pending_row(), claimed_file()

    assert [row.id for row in queries.page(None, 9, status=UploadStatus.PROCESSING)] == [claimed.id]
    assert [row.id for row in queries.page(None, 9, status=UploadStatus.PENDING)] == [pending.id]
