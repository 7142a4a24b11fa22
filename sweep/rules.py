"""The sweep's decisions, as pure functions. Tables of their cases are in the tests.

A row is committed before its object or upload exists, and read after that was listed. So a missing row means that the
file was deleted since, or belongs to another database. In doubt, nothing is removed.
"""

from __future__ import annotations

import re
import uuid

from content.filenames import ID
from models import FileRow, UploadStatus

_KEY = re.compile(rf"(?=.{{14}}7)(?P<id>{ID.pattern})--[0-9]{{14}}--.+", re.DOTALL)
"""A UUIDv7, whose version is the 15th character, the time of the upload, and the filename (`file.new_file`)."""

COMPLETE_GRACE = 900.0
"""Seconds. A CompleteMultipartUpload may take ten minutes."""


def parse_file_id(key: str, prefix: str) -> str | None:
    """The file id in a key that Ferry has made (`file.new_file`); None for any other key."""
    match = _KEY.fullmatch(key.removeprefix(prefix)) if key.startswith(prefix) else None
    return match["id"] if match else None


def created_at(id: str) -> float:
    """The time in a UUIDv7, in seconds since the epoch (RFC 9562 §5.7)."""
    return (uuid.UUID(id).int >> 80) / 1000


def is_orphan_multipart_upload(row: FileRow | None, age: float, grace: float, unchanged: float) -> bool:
    """Return whether no attempt will complete a multipart upload.

    `unchanged`: seconds since the row last changed. The storage may still be completing an upload although its answer
    was lost, so none is aborted within 15 minutes of its attempt.
    """
    if row is None:
        return age > grace
    unfinished = (UploadStatus.PROCESSING, UploadStatus.PENDING)
    return row.upload_status not in unfinished and unchanged > min(COMPLETE_GRACE, grace)


def is_orphan_object(row: FileRow | None, age: float, grace: float, *, can_retry: bool) -> bool:
    """Return whether an object belongs to no file. A file in ERROR has none, unless it can still be retried."""
    return age > grace if row is None else row.upload_status == UploadStatus.ERROR and not can_retry


def is_orphan_spool_file(row: FileRow | None, age: float, grace: float, unchanged: float, retention: float) -> bool:
    """Return whether spooled bytes are needed no more: those of a file in ERROR stay `retention` seconds.

    `unchanged`: seconds since the row last changed.
    """
    if row is None:
        return age > grace
    if row.upload_status == UploadStatus.ERROR:
        return unchanged > retention
    return row.upload_status == UploadStatus.COMPLETE
