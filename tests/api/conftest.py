"""Fixtures of tests that watch a file."""

from __future__ import annotations

import pytest
from flask import Flask

import file
from lifecycle import transitions
from models import File
from services import current_services
from tests.api.watching import LEASE


@pytest.fixture
def row(app: Flask) -> File:
    """A file in PENDING."""
    row = file.new_file("a.txt", "text/plain", "async")
    row.size, row.sha256 = 3, "0" * 64
    transitions.insert(row, LEASE)
    return row


@pytest.fixture
def frozen_clock(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of waits: none can end by its timeout, only by a change."""
    monkeypatch.setattr(current_services().changes, "_clock", lambda: 0.0)
