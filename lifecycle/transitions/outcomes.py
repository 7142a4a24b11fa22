"""The moves of all who do not hold the file: its owner, and those who look for files that nobody works on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, Connection, Double, Row, and_, bindparam, case, func, select

from database.engine import execute, transaction
from lifecycle.transitions.fencing import AFTER_PAUSE, SAME_ID, TERMINAL, TOUCHING, UPDATE_IF_CURRENT, apply
from models import DUE, FAILED_FOR_GOOD, FILES, NOT_DELETED, NOW, File, UploadStatus
from quotas import storage_quota


def fail_abandoned(row: File, reason: str) -> bool:
    """End as ERROR for `reason` in place of a holder whose lease ran out. False: there is no such holder."""
    values = {"upload_status": UploadStatus.ERROR, "error": reason, "error_detail": None, "stored_bytes": 0}
    return apply(row, _FAIL_ABANDONED, values, count=(-row.reserved, -1))


def reclaim(row: File) -> bool:
    """Back to PENDING, due now, in place of a holder whose lease ran out. False: there is no such holder."""
    return apply(row, _RECLAIM, {"upload_status": UploadStatus.PENDING, "stored_bytes": 0})


def reserve_dispatch(row: File, least: float) -> bool:
    """Take the turn to hand out a waiting file that is due. False: it is not, or somebody else has taken it.

    If nobody claims it, it is due again in `least` seconds, the next time in twice that, up to an hour: a worker
    may have a long queue, and must not find each file in it many times.
    """
    return apply(row, _RESERVE_DISPATCH, {}, least=least)


def defer(row: File, pause: float) -> bool:
    """Due in `pause` seconds: it was not handed out after all. False: somebody has taken the file."""
    return apply(row, _DEFER, {}, pause=pause)


def recall(least: float) -> int:
    """Make all files of mode `celery` due now that have waited for `least` seconds or more since they were accepted.

    A file that waits for its next attempt keeps its pause. Returns how many files are due now that were not.
    """
    return len(execute(_RECALL, {"least": least}))


def retry(row: File) -> bool:
    """Back to PENDING, due now, with as many attempts as at first. False: the file is not in ERROR.

    Raises owners.QuotaExceeded where its owner has no room for it any more.
    """
    values = {"upload_status": UploadStatus.PENDING, "attempts_before": row.attempt}
    values |= {"error": None, "error_detail": None}
    return apply(row, _RETRY, values, count=(row.reserved, 1))


def set_error(row: File, reason: str | None) -> bool:
    """Say of a COMPLETE file what is wrong with its object."""
    return apply(row, _SET_ERROR, {"error": reason, "error_detail": None})


def delete(row: File) -> bool:
    """Mark as deleted. Whoever holds the file loses it; its bytes go when nobody can be at work on it any more.

    False: it was deleted already.
    """

    def work(connection: Connection) -> Row[Any] | None:
        found = connection.execute(_DELETE, {"mine": row.id}).one_or_none()
        # The owner is as the row says now: the file may just have been adopted.
        if found is not None and found.owner is not None and found.upload_status != UploadStatus.ERROR:
            storage_quota.adjust(connection, found.owner, -found.reserved, -1)
        return found

    found = transaction(work)
    if found is not None:
        vars(row).update(found._mapping)
    return found is not None


def delete_failed(row: File) -> bool:
    """Mark as deleted a file that is in ERROR still. False: it was tried again, or deleted."""
    return bool(execute(_DELETE_FAILED, {"mine": row.id, "my_attempt": row.attempt}))


def purge_failed(owner: str | None, most: int, kept: float) -> int:
    """Remove the rows of an owner's oldest files in ERROR, up to as many as are more than `most`. Returns how many.

    Those whose bytes a spool keeps, for `kept` seconds, stay. An object that one may have left belongs to no file then.
    """
    return len(execute(_PURGE_FAILED, {"owner": owner or "", "most": most, "kept": kept}))


def assign_owner(owner: str, most: int) -> int:
    """Give an owner, who exists, up to `most` ended files that belong to nobody. Returns how many.

    Raises owners.QuotaExceeded where all of them together are too much. Files at work stay with nobody: who holds one
    counts it as nobody's when it ends.
    """

    def work(connection: Connection) -> int:
        found = connection.execute(_ASSIGN_OWNER, {"owner": owner, "most": most}).all()
        counted = [row.reserved for row in found if row.upload_status == UploadStatus.COMPLETE]
        storage_quota.adjust(connection, owner, sum(counted), len(counted))
        return len(found)

    return transaction(work)


def defer_deletion(row: File) -> None:
    """Due in a minute, and later each time, up to a day: what there is of a deleted file can't be removed now."""
    execute(_DEFER_DELETION, {"mine": row.id})


def purge(row: File) -> None:
    """Remove the row of a deleted file."""
    execute(_PURGE, {"mine": row.id})


# Statements are built once: building one takes longer than running it.
_WAITED = NOW - FILES.c.updated_at
_MINUTE, _MOST, _DAY = 60.0, 3600.0, 86400.0
_LEAST: BindParameter[float] = bindparam("least", type_=Double())
_FAIL_ABANDONED = TERMINAL.where(FILES.c.lease_until < NOW)
_RECLAIM = TOUCHING.where(FILES.c.lease_until < NOW).values(lease_until=None, due_at=NOW)
# `updated_at` stays: how long a file has waited is how long it waits for its next turn.
_RESERVE_DISPATCH = UPDATE_IF_CURRENT.where(DUE).values(
    due_at=NOW + case((_WAITED > _MOST, _MOST), (_WAITED > _LEAST, _WAITED), else_=_LEAST)
)
_DEFER = UPDATE_IF_CURRENT.where(FILES.c.upload_status == UploadStatus.PENDING).values(due_at=AFTER_PAUSE)
_RECALL = (
    FILES.update()
    .where(
        FILES.c.upload_status == UploadStatus.PENDING,
        FILES.c.mode == "celery",
        FILES.c.error.is_(None),
        FILES.c.due_at > NOW,
        FILES.c.updated_at < NOW - _LEAST,
        NOT_DELETED,
    )
    .values(due_at=NOW)
    .returning(FILES.c.id)
)
_RETRY = UPDATE_IF_CURRENT.where(FILES.c.upload_status == UploadStatus.ERROR).values(updated_at=NOW, due_at=NOW)
_SET_ERROR = UPDATE_IF_CURRENT.where(FILES.c.upload_status == UploadStatus.COMPLETE).values(updated_at=NOW)
# The attempt's number grows, so that no move of a present holder finds the row any more.
_DELETE = (
    FILES.update()
    .where(SAME_ID, NOT_DELETED)
    .values(deleted_at=NOW, updated_at=NOW, due_at=None, attempt=FILES.c.attempt + 1)
    .returning(
        FILES.c.deleted_at,
        FILES.c.upload_status,
        FILES.c.owner,
        FILES.c.reserved,
        FILES.c.lease_until,
        FILES.c.version_id,
    )
)
_DELETE_FAILED = _DELETE.where(FILES.c.upload_status == UploadStatus.ERROR, FILES.c.attempt == bindparam("my_attempt"))
_WITHOUT_OWNER = and_(FILES.c.owner.is_(None), NOT_DELETED)
_ENDED = FILES.c.upload_status.in_((UploadStatus.COMPLETE, UploadStatus.ERROR))
_SOME = select(FILES.c.id).where(_WITHOUT_OWNER, _ENDED).limit(bindparam("most"))
# The attempt's number grows, so that no move finds the row any more that takes it for nobody's.
_ASSIGN_OWNER = (
    FILES.update()
    .where(FILES.c.id.in_(_SOME), _WITHOUT_OWNER, _ENDED)
    .values(owner=bindparam("owner"), attempt=FILES.c.attempt + 1)
    .returning(FILES.c.reserved, FILES.c.upload_status)
)
_MOST_FORGOTTEN = 5000
"""Rows of one statement: on SQLite nothing else is written meanwhile."""


# Not by the index over owners, which has all their files: by the one over states, which has these together.
_OF = func.coalesce(FILES.c.owner, "") == bindparam("owner")
_SURPLUS = (
    select(FILES.c.id)
    .where(FAILED_FOR_GOOD, _OF)
    .order_by(FILES.c.id.desc())
    .offset(bindparam("most"))
    .limit(_MOST_FORGOTTEN)
)
_PURGE_FAILED = FILES.delete().where(FILES.c.id.in_(_SURPLUS), FAILED_FOR_GOOD).returning(FILES.c.id)
_DELETED_FOR = NOW - FILES.c.deleted_at
_DEFER_DELETION = (
    FILES.update()
    .where(SAME_ID, FILES.c.deleted_at.is_not(None))
    .values(due_at=NOW + case((_DELETED_FOR > _DAY, _DAY), (_DELETED_FOR > _MINUTE, _DELETED_FOR), else_=_MINUTE))
)
_PURGE = FILES.delete().where(SAME_ID, FILES.c.deleted_at.is_not(None))
