"""Queries: which files they return, in which order."""

from __future__ import annotations

import pytest
from flask import Flask

import file
from lifecycle import queries, transitions
from models import File, UploadStatus

LEASE = 30.0


@pytest.fixture
def pending(app: Flask) -> File:
    row = file.new_file("a.pdf", "application/pdf", "async")
    row.size, row.sha256 = 3, "0" * 64
    transitions.insert(row, LEASE)
    return row


def test_pages_are_newest_first_and_stable_while_files_are_added(app: Flask) -> None:
    rows = [file.new_file(f"{number}", "text/plain", "async") for number in range(5)]
    for row in rows:
        transitions.insert(row, LEASE)
    first = queries.page(None, 2)
    transitions.insert(file.new_file("late", "text/plain", "async"), LEASE)

    assert [row.name for row in first] == ["4", "3"]
    assert [row.name for row in queries.page(None, 9, first[-1].id)] == ["2", "1", "0"]


def test_a_page_can_be_filtered_by_status(app: Flask, pending: File) -> None:
    claimed = file.new_file("claimed", "text/plain", "normal")
    transitions.insert(claimed, LEASE, status=UploadStatus.PROCESSING)

    assert [row.id for row in queries.page(None, 9, status=UploadStatus.PROCESSING)] == [claimed.id]
    assert [row.id for row in queries.page(None, 9, status=UploadStatus.PENDING)] == [pending.id]
