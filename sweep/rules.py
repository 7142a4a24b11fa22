"""What the sweep does about each thing it finds. Pure rules; the tables of their cases are in the tests.

A row is read after the thing was seen, and it was written before the thing could be there. So no row means: deleted
since, or not ours. What can't be told apart stays.
"""

from __future__ import annotations

import re
import uuid

from models import File, UploadStatus

_KEY = re.compile(r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})--[0-9]{14}--.+", re.DOTALL)

COMPLETE_GRACE = 900.0
"""Seconds. A CompleteMultipartUpload may take ten minutes."""


def id_in(key: str, prefix: str) -> str | None:
    """The file's id in a key that Ferry has made (`file.new`); None for any other key."""
    match = _KEY.fullmatch(key.removeprefix(prefix)) if key.startswith(prefix) else None
    return match["id"] if match else None


def created_at(id: str) -> float:
    """When a UUIDv7 was made, in seconds since the epoch (RFC 9562 §5.7)."""
    return (uuid.UUID(id).int >> 80) / 1000


def is_exhausted(row: File, most: int) -> bool:
    """Whether a file whose holder fell silent had its last chance. In normal mode its bytes went with the holder."""
    return row.mode == "normal" or row.attempts >= most


def is_orphan_upload(row: File | None, age: float, grace: float, quiet: float) -> bool:
    """Whether an upload in parts will not be ended: the holder of the file may end it, or its next holder.

    `quiet`: seconds since the row last changed. The storage may still be putting together what it was asked to
    complete, and never answered: an upload is not aborted for 15 minutes after its attempt.
    """
    if row is None:
        return age > grace
    at_work = (UploadStatus.PROCESSING, UploadStatus.PENDING)
    return row.upload_status not in at_work and quiet > min(COMPLETE_GRACE, grace)


def is_orphan_object(row: File | None, age: float, grace: float, *, can_retry: bool) -> bool:
    """Whether an object belongs to no file. One in ERROR has none, but may get one as long as it can be tried again."""
    return age > grace if row is None else row.upload_status == UploadStatus.ERROR and not can_retry


def is_orphan_spool_file(row: File | None, age: float, grace: float, ended: float, keep_errors: float) -> bool:
    """Whether nobody needs a file of the spool any more. `ended`: seconds since the row last changed."""
    if row is None:
        return age > grace
    if row.upload_status == UploadStatus.ERROR:
        return ended > keep_errors
    return row.upload_status == UploadStatus.COMPLETE
