"""A storage that fails on demand, and files to store in it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from models import FileRow
from storage.memory import MemoryStorage
from tests.fakes import FailingStorage
from tests.harness.factories import BODY, claimed_file, pending_file


@pytest.fixture
def storage() -> FailingStorage:
    """The storage of the app. Override it for another fault."""
    return FailingStorage()


@pytest.fixture
def services(storage: MemoryStorage) -> dict[str, Any]:
    return {"storage": storage}


@pytest.fixture
def pending(app: Flask) -> FileRow:
    """A spooled file of mode `async`."""
    return pending_file(body=[BODY[:4], BODY[4:]])


@pytest.fixture
def claimed(app: Flask) -> FileRow:
    """A file of mode `normal`, claimed by this test."""
    return claimed_file()
