"""The moves of a file's holder, and of who accepts it."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, Double, Row, bindparam, or_
from sqlalchemy.sql.dml import ReturningInsert

from database.engine import execute, transaction
from lifecycle.transitions.fencing import (
    AFTER_PAUSE,
    SAME_ID,
    TERMINAL,
    TOUCHING,
    WHILE_PROCESSING,
    apply,
    update_lease,
)
from models import ABANDONED, FILES, NOT_DELETED, NOW, File, UploadStatus
from quotas import storage_quota


def insert_row(row: File, lease: float, *, held: bool = False) -> None:
    """Commit this file's row, as PENDING or as held by the caller (attempt 1).

    Who has accepted a PENDING file hands it out; if nobody has claimed it `lease` seconds later, the sweep does.
    `reserved` bytes are counted as its owner's; of a held file fewer, where only so many fit, and it is changed to
    that. Raises owners.QuotaExceeded where it can't be. Its times become the database's: of the host's clock, by which
    the value was made, only the time between `created_at` and `expires_at` is kept.
    """
    values = {name: getattr(row, name) for name in _INSERT_COLUMNS}
    values |= {"stored_bytes": 0, "attempts_before": 0, "deleted_at": None}
    values |= {"received_bytes": row.size or 0, "version_id": None}
    values |= (
        {"upload_status": UploadStatus.PROCESSING, "attempt": 1}
        if held
        else {"upload_status": UploadStatus.PENDING, "attempt": 0}
    )
    life = None if row.expires_at is None else row.expires_at - row.created_at
    insert, asked = _INSERT_HELD if held else _INSERT, values | {"lease": lease, "life": life}
    if row.owner is None:
        (made,) = execute(insert, asked)
    else:
        made = transaction(partial(_counted, insert, asked, row.owner, all_or_nothing=not held))
    vars(row).update(values, **made._mapping)


def _counted(
    insert: ReturningInsert[Any], values: dict[str, Any], owner: str, connection: Connection, *, all_or_nothing: bool
) -> Row[Any]:
    """Insert a row of an owner, as large as fits."""
    fits = storage_quota.adjust(connection, owner, values["reserved"], 1, all_or_nothing=all_or_nothing)
    return connection.execute(insert, values | {"reserved": fits}).one()


def claim(row: File, lease: float) -> bool:
    """Take the file to work on it, if it waits or its holder's lease ran out. On success `attempt` is ours."""
    found = execute(_CLAIM, {"mine": row.id, "lease": lease})
    if found:
        vars(row).update(found[0]._mapping, upload_status=UploadStatus.PROCESSING)
    return bool(found)


def heartbeat(row: File, lease: float) -> bool:
    """Lengthen our lease to `lease` seconds from now. False: another attempt has the file."""
    return update_lease(row, _HEARTBEAT, lease=lease)


def progress(row: File, lease: float, received: int, stored: int) -> bool:
    """The same, and say how many bytes have come and are stored. Of a file that came before, all have."""
    return update_lease(row, _PROGRESS, lease=lease, received_bytes=row.size or received, stored_bytes=stored)


def reserve(row: File, size: int) -> bool:
    """Count `size` bytes more as the owner's. False: somebody else has the file. Raises owners.QuotaExceeded."""
    return apply(row, TOUCHING, {"reserved": row.reserved + size}, count=(size, 0))


def complete(row: File, *, url: str, size: int, sha256: str, version_id: str | None = None) -> bool:
    """End as COMPLETE, stored and verified. False: somebody else has the file."""
    values = {"url": url, "size": size, "stored_bytes": size, "sha256": sha256, "error": None, "reserved": size}
    values |= {"error_detail": None}
    values |= {"received_bytes": size, "version_id": version_id}
    return apply(row, TERMINAL, values | {"upload_status": UploadStatus.COMPLETE}, count=(size - row.reserved, 0))


def fail(row: File, reason: str, detail: str | None = None) -> bool:
    """End as ERROR for `reason`, a problem's slug, and its detail. False: another attempt has the file."""
    values = {"upload_status": UploadStatus.ERROR, "error": reason, "error_detail": detail, "stored_bytes": 0}
    return apply(row, TERMINAL, values, count=(-row.reserved, -1))


def discard(row: File, reason: str) -> bool:
    """End as ERROR and deleted in one: of an invalid request nothing is kept. False: another attempt has the file."""
    values = {"upload_status": UploadStatus.ERROR, "error": reason, "error_detail": None, "stored_bytes": 0}
    return apply(row, _DISCARD, values, count=(-row.reserved, -1))


def requeue(row: File, reason: str, pause: float, detail: str | None = None) -> bool:
    """Back to PENDING, to be tried again in `pause` seconds or later. False: somebody else has the file."""
    values = {"upload_status": UploadStatus.PENDING, "error": reason, "error_detail": detail, "stored_bytes": 0}
    return apply(row, _REQUEUE, values, pause=pause)


# Statements are built once: building one takes longer than running it.
_INSERT_COLUMNS = (
    "id", "name", "key", "mode", "size", "sha256", "content_type", "detected_type", "owner", "reserved", "spool",
)  # fmt: skip
_AHEAD = NOW + bindparam("lease", type_=Double())
_MADE = FILES.insert().values(created_at=NOW, updated_at=NOW, expires_at=NOW + bindparam("life", type_=Double()))
_GIVES = (FILES.c.created_at, FILES.c.updated_at, FILES.c.expires_at, FILES.c.reserved)
_INSERT = _MADE.values(due_at=_AHEAD).returning(*_GIVES)
_INSERT_HELD = _MADE.values(lease_until=_AHEAD).returning(*_GIVES)
_CLAIM = (
    FILES.update()
    .where(SAME_ID, NOT_DELETED, or_(FILES.c.upload_status == UploadStatus.PENDING, ABANDONED))
    .values(
        upload_status=UploadStatus.PROCESSING,
        attempt=FILES.c.attempt + 1,
        stored_bytes=0,
        lease_until=_AHEAD,
        updated_at=NOW,
    )
    .returning(FILES.c.attempt, FILES.c.stored_bytes, FILES.c.updated_at)
)
# `updated_at` stays: nobody sees a heartbeat.
_HEARTBEAT = WHILE_PROCESSING.values(lease_until=_AHEAD)
_PROGRESS = TOUCHING.values(lease_until=_AHEAD)
_DISCARD = TERMINAL.values(deleted_at=NOW)
_REQUEUE = TOUCHING.values(lease_until=None, due_at=AFTER_PAUSE)
