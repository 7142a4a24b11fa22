"""The rows of deleted files: mark them, and delete them once the data is purged."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, select

from database.engine import execute, transaction
from lifecycle.transitions.fencing import SAME_ID
from models import FAILED_WITHOUT_BYTES, FILES, NOT_DELETED, NOW, FileRow, UploadStatus
from quotas import storage_quota


def mark_deleted(row: FileRow) -> FileRow | None:
    """Mark a file as deleted. An attempt that stores it loses its claim; its data is purged later.

    None: it was deleted already.
    """

    def work(connection: Connection) -> Row[Any] | None:
        deleted = connection.execute(_MARK_DELETED, {"file_id": row.id}).one_or_none()
        # The owner is read from the row: the file may just have been assigned to one.
        if deleted is not None and deleted.owner is not None and deleted.upload_status != UploadStatus.ERROR:
            storage_quota.adjust(connection, deleted.owner, -deleted.reserved, -1)
        return deleted

    deleted = transaction(work)
    return None if deleted is None else FileRow._make(deleted)


def mark_failed_deleted(row: FileRow) -> bool:
    """Mark a file that is still in ERROR as deleted. False: it was retried or deleted."""
    return bool(execute(_MARK_FAILED_DELETED, {"file_id": row.id, "expected_attempt": row.attempt}))


def defer_purge(row: FileRow) -> None:
    """Retry the purge of a deleted file in a minute, and later each time, up to a day."""
    execute(_DEFER_PURGE, {"file_id": row.id})


def delete_row(row: FileRow) -> None:
    """Delete the row of a file that is marked as deleted."""
    execute(_DELETE_ROW, {"file_id": row.id})


def delete_failed_rows(owner: str | None, limit: int, retention: float) -> int:
    """Delete the rows of an owner's oldest files in ERROR until `limit` are left. Returns their number.

    Files whose bytes the spool still keeps, for `retention` seconds, stay. An object that such a file left behind is an
    orphan, for the sweep.
    """
    return len(execute(_DELETE_FAILED_ROWS, {"owner": owner or "", "limit": limit, "retention": retention}))


# Statements are built once: building one takes longer than running it.
# The attempt number grows, so that no transition of the current attempt matches the row any more.
_MARK_DELETED = (
    FILES.update()
    .where(SAME_ID, NOT_DELETED)
    .values(deleted_at=NOW, updated_at=NOW, due_at=None, attempt=FILES.c.attempt + 1)
    .returning(*FILES.c)
)
_MARK_FAILED_DELETED = _MARK_DELETED.where(
    FILES.c.upload_status == UploadStatus.ERROR, FILES.c.attempt == bindparam("expected_attempt")
)
_MINUTE, _DAY = 60.0, 86400.0
_DELETED_FOR = NOW - FILES.c.deleted_at
_DEFER_PURGE = (
    FILES.update()
    .where(SAME_ID, FILES.c.deleted_at.is_not(None))
    .values(due_at=NOW + case((_DELETED_FOR > _DAY, _DAY), (_DELETED_FOR > _MINUTE, _DELETED_FOR), else_=_MINUTE))
)
_DELETE_ROW = FILES.delete().where(SAME_ID, FILES.c.deleted_at.is_not(None))
_MAX_ROWS = 5000
"""Rows of one statement: SQLite has no other writer meanwhile."""

# `coalesce` keeps the planner from the index over owners, which has all files of an owner: the one over statuses has
# the failed ones together.
_OVER_LIMIT = (
    select(FILES.c.id)
    .where(FAILED_WITHOUT_BYTES, func.coalesce(FILES.c.owner, "") == bindparam("owner"))
    .order_by(FILES.c.id.desc())
    .offset(bindparam("limit"))
    .limit(_MAX_ROWS)
)
_DELETE_FAILED_ROWS = FILES.delete().where(FILES.c.id.in_(_OVER_LIMIT), FAILED_WITHOUT_BYTES).returning(FILES.c.id)
