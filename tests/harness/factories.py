"""Files in every status. Tests make rows with these functions only.

Each `…_file` needs an app context and returns the value of its row as the last transition left it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import file
from lifecycle import queries, transitions
from models import FileRow, NewFile, UploadStatus

LEASE = 30.0
"""Seconds that no test outlasts."""
EXPIRED = -1.0
"""A lease that has expired."""

BODY = b"what was sent"
SHA256 = "0" * 64
"""The digest of files without bytes."""


def unsaved_file(
    mode: file.Mode = "async", name: str = "a.txt", content_type: str = "text/plain", **more: Any
) -> NewFile:
    """A new file without a row. `more`: the other arguments of `file.new_file`."""
    return file.new_file(name, content_type, mode, **more)


def file_value(status: str = "PENDING", **values: Any) -> FileRow:
    """The value of a row that no database has, for rules that are pure functions."""
    return FileRow(**_UNSET | values | {"upload_status": UploadStatus(status)})


_UNSET: dict[str, Any] = dict.fromkeys(FileRow._fields) | {
    "mode": "async", "received_bytes": 0, "stored_bytes": 0, "reserved": 0, "attempt": 1, "attempts_before": 0,
}  # fmt: skip


def pending_file(mode: file.Mode = "async", body: bytes | Iterable[bytes] = BODY, **more: Any) -> FileRow:
    """A PENDING file whose bytes are in the spool."""
    return file.receive(unsaved_file(mode, **more), iter([body] if isinstance(body, bytes) else body))


def pending_row(size: int = 3, lease: float = LEASE, spool: str | None = None, **more: Any) -> FileRow:
    """The row of a PENDING file that has no bytes. It is due in `lease` seconds."""
    new = replace(unsaved_file(**more), size=size, reserved=size, sha256=SHA256, spool=spool)
    return transitions.insert(new, lease)


def claimed_file(mode: file.Mode = "normal", lease: float = LEASE, reserved: int = 0, **more: Any) -> FileRow:
    """A file in its first attempt. One of another mode than `normal` has its bytes in the spool."""
    if mode != "normal":
        return claim(pending_file(mode, **more), lease)
    new = replace(unsaved_file(mode, **more), reserved=reserved)
    return transitions.insert(new, lease, status=UploadStatus.PROCESSING)


def uploading_file(max_bytes: int | None = None, **more: Any) -> FileRow:
    """A file of mode `normal` as its request inserts it: claimed, with a reservation of its owner's quota."""
    return file.insert_claimed(unsaved_file("normal", **more), max_bytes)


def stored_file(body: bytes = BODY, **more: Any) -> FileRow:
    """A COMPLETE file of mode `normal`, with its object."""
    return file.store(uploading_file(len(body), **more), iter([body]))


def complete_row(size: int = 3, **more: Any) -> FileRow:
    """The row of a COMPLETE file of mode `normal` that has no object."""
    completed = complete(uploading_file(size, **more), size)
    assert completed is not None
    return completed


def failed_file(mode: file.Mode = "normal", reason: str = "storage-denied", **more: Any) -> FileRow:
    """A file in ERROR. One of another mode than `normal` has its bytes in the spool."""
    row = claimed_file(mode, **more) if mode != "normal" else uploading_file(7, **more)
    failed = transitions.set_error(row, reason)
    assert failed is not None
    return failed


def claim(row: FileRow, lease: float = LEASE) -> FileRow:
    """The value of the attempt that claims this file now."""
    claimed = transitions.claim(row, lease)
    assert claimed is not None
    return claimed


def complete(row: FileRow, size: int = 3) -> FileRow | None:
    """End an attempt as COMPLETE, without an object. None: another attempt has the file."""
    return transitions.set_complete(row, url="u", size=size, sha256=SHA256)


def reload(row: FileRow) -> FileRow:
    """The current value of a row."""
    current = queries.get(row.id)
    assert current is not None
    return current
