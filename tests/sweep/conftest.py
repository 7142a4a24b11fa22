"""What the tests of the sweep share: files in every state, objects and uploads that can be left over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

import file
from database import engine
from lifecycle import queries, transitions
from models import File, UploadStatus
from storage.base import MultipartUpload
from storage.memory import MemoryStorage
from sweep.orphans import sweep_objects, sweep_spool, sweep_uploads
from sweep.reclaim import sweep_files
from sweep.report import Report
from tests.fakes import replace_services, services_of

GONE = -1.0
"""A lease that has run out."""

BODY = b"bytes that must not be lost"


class MemoryStorageWithUploads(MemoryStorage):
    """Has uploads in parts that nobody has ended."""

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
def objects(app: Flask) -> MemoryStorageWithUploads:
    replace_services(app, storage=MemoryStorageWithUploads())
    return services_of(app).storage


def accepted(mode: file.Mode = "async") -> File:
    row = file.new_file("a.bin", "application/octet-stream", mode)
    file.receive(row, iter([BODY]))
    return row


def held(mode: file.Mode, lease: float) -> File:
    """A file of which somebody makes, or made, its first attempt."""
    if mode == "normal":
        row = file.new_file("a.bin", "application/octet-stream", mode)
        transitions.insert(row, lease, status=UploadStatus.PROCESSING)
        return row
    row = accepted(mode)
    assert transitions.claim(row, lease)
    return row


def found(row: File) -> File:
    other = queries.get(row.id)
    assert other is not None
    return other


def swept(hand_out: Callable[[File], None] = lambda row: None, *, dry: bool = False) -> Report:
    report = Report(dry)
    sweep_files(report, hand_out)
    return report


def cleaned(*, dry: bool = False) -> Report:
    report = Report(dry)
    sweep_spool(report)
    sweep_uploads(report)
    sweep_objects(report)
    return report


def aged(row: File, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `seconds` pass for everything whose age the sweep asks for."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)
    monkeypatch.setattr(engine, "now", lambda: now + seconds)
