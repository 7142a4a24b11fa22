"""Files in every status. Tests make rows with these functions only.

Each `…_file` needs an app context and returns the value of its row as the last transition left it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import file
from lifecycle import queries, transitions
from models import FILES, File, UploadStatus

LEASE = 30.0
"""Seconds that no test outlasts."""
EXPIRED = -1.0
"""A lease that has expired."""

BODY = b"what was sent"
SHA256 = "0" * 64
"""The digest of files without bytes."""


def unsaved_file(mode: file.Mode = "async", name: str = "a.txt", content_type: str = "text/plain", **more: Any) -> File:
    """A new file without a row. `more`: the other arguments of `file.new_file`."""
    return file.new_file(name, content_type, mode, **more)


def file_value(status: str = "PENDING", **values: Any) -> File:
    """The value of a row that no database has, for rules that are pure functions."""
    return File(upload_status=UploadStatus(status), **_UNSET | values)


_UNSET = {"mode": "async", "size": None, "stored_bytes": 0, "attempt": 1, "attempts_before": 0, "error": None}


def replace(row: File, **values: Any) -> File:
    """A copy of the row's value with other values. Changes no row."""
    return File(**(columns(row) | values))


def columns(row: File) -> dict[str, Any]:
    """The values of a row by column."""
    return {column.name: getattr(row, column.name) for column in FILES.columns}


def pending_file(mode: file.Mode = "async", body: bytes | Iterable[bytes] = BODY, **more: Any) -> File:
    """A PENDING file whose bytes are in the spool."""
    row = unsaved_file(mode, **more)
    file.receive(row, iter([body] if isinstance(body, bytes) else body))
    return row


def pending_row(size: int = 3, lease: float = LEASE, spool: str | None = None, **more: Any) -> File:
    """The row of a PENDING file that has no bytes. It is due in `lease` seconds."""
    row = unsaved_file(**more)
    row.size = row.reserved = size
    row.sha256, row.spool = SHA256, spool
    transitions.insert(row, lease)
    return row


def claimed_file(mode: file.Mode = "normal", lease: float = LEASE, reserved: int = 0, **more: Any) -> File:
    """A file in its first attempt. One of another mode than `normal` has its bytes in the spool."""
    if mode != "normal":
        return claim(pending_file(mode, **more), lease)
    row = unsaved_file(mode, **more)
    row.reserved = reserved
    transitions.insert(row, lease, status=UploadStatus.PROCESSING)
    return row


def uploading_file(max_bytes: int | None = None, **more: Any) -> File:
    """A file of mode `normal` as its request inserts it: claimed, with a reservation of its owner's quota."""
    row = unsaved_file("normal", **more)
    file.insert_claimed(row, max_bytes)
    return row


def stored_file(body: bytes = BODY, **more: Any) -> File:
    """A COMPLETE file of mode `normal`, with its object."""
    row = uploading_file(len(body), **more)
    file.store(row, iter([body]))
    return reload(row)


def complete_row(size: int = 3, **more: Any) -> File:
    """The row of a COMPLETE file of mode `normal` that has no object."""
    row = uploading_file(size, **more)
    assert complete(row, size)
    return reload(row)


def failed_file(mode: file.Mode = "normal", reason: str = "storage-denied", **more: Any) -> File:
    """A file in ERROR. One of another mode than `normal` has its bytes in the spool."""
    row = claimed_file(mode, **more) if mode != "normal" else uploading_file(7, **more)
    assert transitions.set_error(row, reason)
    return reload(row)


def claim(row: File, lease: float = LEASE) -> File:
    """The value of the attempt that claims this file now."""
    claimed = replace(row)
    assert transitions.claim(claimed, lease)
    return claimed


def complete(row: File, size: int = 3) -> bool:
    """End an attempt as COMPLETE, without an object. False: another attempt has the file."""
    return transitions.set_complete(row, url="u", size=size, sha256=SHA256)


def reload(row: File) -> File:
    """The current value of a row."""
    current = queries.get(row.id)
    assert current is not None
    return current
