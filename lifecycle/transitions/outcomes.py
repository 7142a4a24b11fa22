"""How an attempt ends: COMPLETE, ERROR or back to PENDING. And what may follow: a retry, a missing object."""

from __future__ import annotations

from typing import Any

from lifecycle import outbox
from lifecycle.transitions.fencing import END_ATTEMPT, NOW_PLUS_DELAY, UPDATE_IF_CURRENT, UPDATE_WHILE_PROCESSING, apply
from models import FILES, NOW, FileRow, UploadStatus
from services import current_services


def set_complete(row: FileRow, *, url: str, size: int, sha256: str, version_id: str | None = None) -> FileRow | None:
    """End as COMPLETE, stored and verified. None: another attempt has the file.

    The outbox gets an entry for every subscriber in the same transaction: what must follow is never lost.
    """
    followers = current_services().outbox
    entries = outbox.new_entries(row.id, followers.subscribers)
    values = {"url": url, "size": size, "stored_bytes": size, "sha256": sha256, "error": None, "reserved": size}
    values |= {"error_detail": None}
    values |= {"received_bytes": size, "version_id": version_id}
    values |= {"upload_status": UploadStatus.COMPLETE}
    completed = apply(row, END_ATTEMPT, values, quota_change=(size - row.reserved, 0), entries=entries)
    if completed:
        followers.deliver(entry["new_id"] for entry in entries)
    return completed


def set_error(row: FileRow, reason: str, detail: str | None = None) -> FileRow | None:
    """End as ERROR with a problem's slug and its detail. None: another attempt has the file."""
    return apply(row, END_ATTEMPT, _error(reason, detail), frees_quota=True)


def fail_abandoned(row: FileRow, reason: str) -> FileRow | None:
    """End a file whose lease expired as ERROR. None: its lease has not expired."""
    return apply(row, _FAIL_ABANDONED, _error(reason), frees_quota=True)


def set_error_and_deleted(row: FileRow, reason: str) -> FileRow | None:
    """End as ERROR and deleted at once, for an invalid request. None: another attempt has the file."""
    return apply(row, _SET_ERROR_AND_DELETED, _error(reason), frees_quota=True)


def requeue(row: FileRow, reason: str, delay: float, detail: str | None = None) -> FileRow | None:
    """Back to PENDING, due in `delay` seconds. None: another attempt has the file."""
    values = _error(reason, detail) | {"upload_status": UploadStatus.PENDING}
    return apply(row, _REQUEUE, values, delay=delay)


def set_pending(row: FileRow) -> FileRow | None:
    """Back from ERROR to PENDING, due now, with the full number of attempts. None: the file is not in ERROR.

    Raises QuotaExceeded if the file does not fit its owner's quota any more.
    """
    values = {"upload_status": UploadStatus.PENDING, "attempts_before": row.attempt}
    values |= {"error": None, "error_detail": None}
    return apply(row, _SET_PENDING, values, quota_change=(row.reserved, 1))


def set_object_error(row: FileRow, reason: str | None) -> FileRow | None:
    """Mark a COMPLETE file whose object is missing, or clear the mark. None: the row has changed."""
    return apply(row, _SET_OBJECT_ERROR, {"error": reason, "error_detail": None})


def _error(reason: str, detail: str | None = None) -> dict[str, Any]:
    return {"upload_status": UploadStatus.ERROR, "error": reason, "error_detail": detail, "stored_bytes": 0}


# Statements are built once: building one takes longer than running it.
_FAIL_ABANDONED = END_ATTEMPT.where(FILES.c.lease_until < NOW)
_SET_ERROR_AND_DELETED = END_ATTEMPT.values(deleted_at=NOW)
_REQUEUE = UPDATE_WHILE_PROCESSING.values(lease_until=None, due_at=NOW_PLUS_DELAY)
_SET_PENDING = UPDATE_IF_CURRENT.where(FILES.c.upload_status == UploadStatus.ERROR).values(updated_at=NOW, due_at=NOW)
_SET_OBJECT_ERROR = UPDATE_IF_CURRENT.where(FILES.c.upload_status == UploadStatus.COMPLETE).values(updated_at=NOW)
