"""Fixtures and helpers of the sweep's tests: files in every status, objects, multipart uploads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from database import engine
from models import FileRow
from storage.base import MultipartUpload
from sweep.orphans import sweep_multipart_uploads, sweep_objects, sweep_spool
from sweep.report import Report
from sweep.rows import sweep_files
from tests.fakes import FailingStorage


class MemoryStorageWithUploads(FailingStorage):
    """Has multipart uploads in progress."""

    def __init__(self) -> None:
        super().__init__()
        self.open_uploads: set[MultipartUpload] = set()

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        return iter(sorted((each for each in self.open_uploads if each.key.startswith(prefix)), key=str))

    def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        self.open_uploads.discard(upload)


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return settings | {"ORPHAN_GRACE": "100", "FAILED_RETENTION": "50"}


@pytest.fixture
def objects() -> MemoryStorageWithUploads:
    return MemoryStorageWithUploads()


@pytest.fixture
def services(objects: MemoryStorageWithUploads) -> dict[str, Any]:
    return {"storage": objects}


def sweep(dispatch: Callable[[FileRow], object] = lambda row: None, *, dry: bool = False) -> Report:
    report = Report(dry)
    sweep_files(report, dispatch)
    return report


def sweep_orphans(*, dry: bool = False) -> Report:
    report = Report(dry)
    sweep_spool(report)
    sweep_multipart_uploads(report)
    sweep_objects(report)
    return report


def advance_clocks(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Advance the clocks that the sweep compares ages with."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)
    monkeypatch.setattr(engine, "now", lambda: now + seconds)
