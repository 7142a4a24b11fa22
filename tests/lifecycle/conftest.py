"""A storage that fails on demand, and files to store in it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

import file
from lifecycle import transitions
from models import File, UploadStatus
from storage.memory import MemoryStorage
from tests.fakes import FailingStorage

BODY = b"what was sent"
"""The content of `pending`."""


@pytest.fixture
def storage() -> FailingStorage:
    """The storage of the app. Override it for another fault."""
    return FailingStorage()


@pytest.fixture
def services(storage: MemoryStorage) -> dict[str, Any]:
    return {"storage": storage}


@pytest.fixture
def pending(app: Flask) -> File:
    """A spooled file of mode `async`."""
    row = file.new_file("a.txt", "text/plain", "async")
    file.receive(row, iter([BODY[:4], BODY[4:]]))
    return row


@pytest.fixture
def claimed(app: Flask) -> File:
    """A file of mode `normal`, claimed by this test."""
    row = file.new_file("a.txt", "text/plain", "normal")
    transitions.insert(row, 30, status=UploadStatus.PROCESSING)
    return row
