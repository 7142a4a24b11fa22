"""Fixtures of tests that watch a file."""

from __future__ import annotations

import pytest
from flask import Flask

from models import FileRow
from services import current_services
from tests.harness.factories import pending_row


@pytest.fixture
def row(app: Flask) -> FileRow:
    """A file in PENDING."""
    return pending_row()


@pytest.fixture
def frozen_clock(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of waits: none can end by its timeout, only by a change."""
    monkeypatch.setattr(current_services().changes, "_clock", lambda: 0.0)
