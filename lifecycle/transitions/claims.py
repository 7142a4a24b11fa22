"""Claims: insert a row, claim its file, renew the lease, release an abandoned file."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, Double, Row, bindparam, or_
from sqlalchemy.sql.dml import ReturningInsert

from database.engine import execute, transaction
from lifecycle.transitions.fencing import RENEW_WHILE_PROCESSING, SAME_ID, UPDATE_WHILE_PROCESSING, apply, update_lease
from models import ABANDONED, FILES, NOT_DELETED, NOW, FileRow, NewFile, UploadStatus
from quotas import storage_quota
from services import current_services


def insert(new: NewFile, lease_seconds: float, *, status: UploadStatus = UploadStatus.PENDING) -> FileRow:
    """Commit the row of a new file as PENDING, or as PROCESSING: then the caller has claimed it (attempt 1).

    A PENDING file that is not claimed within `lease_seconds` is due for the sweep. `new.reserved` bytes count towards
    the owner's quota; a PROCESSING file may reserve less, as much as fits: the row has the number. Raises QuotaExceeded
    if even that does not fit. The row's times are set by the database's clock.
    """
    processing = status == UploadStatus.PROCESSING
    values = vars(new) | {"received_bytes": new.size or 0, "stored_bytes": 0, "attempts_before": 0}
    values |= {"upload_status": status, "attempt": int(processing), "lease": lease_seconds}
    statement = _INSERT_PROCESSING if processing else _INSERT_PENDING
    if new.owner is None:
        (inserted,) = execute(statement, values)
    else:
        inserted = transaction(partial(_insert_with_quota, statement, values, new.owner, all_or_nothing=not processing))
    return FileRow._make(inserted)


def _insert_with_quota(
    statement: ReturningInsert[Any], values: dict[str, Any], owner: str, connection: Connection, *, all_or_nothing: bool
) -> Row[Any]:
    reserved = storage_quota.adjust(connection, owner, values["reserved"], 1, all_or_nothing=all_or_nothing)
    return connection.execute(statement, values | {"reserved": reserved}).one()


def claim(row: FileRow, lease_seconds: float) -> FileRow | None:
    """Claim a PENDING file, or one whose lease expired, for `lease_seconds`. None: it can't be claimed.

    The new row has the number of the attempt.
    """
    claimed = execute(_CLAIM, {"file_id": row.id, "lease": lease_seconds})
    if not claimed:
        return None
    current_services().changes.wake(row.id)
    return FileRow._make(claimed[0])


def heartbeat(row: FileRow, lease_seconds: float) -> bool:
    """Renew the lease to `lease_seconds` from now. False: another attempt has the file."""
    return update_lease(row, _HEARTBEAT, lease=lease_seconds)


def progress(row: FileRow, lease_seconds: float, received: int, stored: int) -> bool:
    """Renew the lease and record progress. For a spooled file `received_bytes` is its full size."""
    return update_lease(row, _PROGRESS, lease=lease_seconds, received_bytes=row.size or received, stored_bytes=stored)


def reserve_bytes(row: FileRow, size: int) -> FileRow | None:
    """Reserve `size` more bytes of the owner's quota. None: another attempt has the file. Raises QuotaExceeded."""
    return apply(row, UPDATE_WHILE_PROCESSING, {"reserved": row.reserved + size}, quota_change=(size, 0))


def release_abandoned(row: FileRow) -> FileRow | None:
    """Put a file whose lease expired back to PENDING, due now. None: its lease has not expired."""
    return apply(row, _RELEASE_ABANDONED, {"upload_status": UploadStatus.PENDING, "stored_bytes": 0})


# Statements are built once: building one takes longer than running it.
_LEASE_END = NOW + bindparam("lease", type_=Double())
_INSERT = (
    FILES.insert()
    .values(created_at=NOW, updated_at=NOW, expires_at=NOW + bindparam("ttl", type_=Double()))
    .returning(*FILES.c)
)
_INSERT_PENDING = _INSERT.values(due_at=_LEASE_END)
_INSERT_PROCESSING = _INSERT.values(lease_until=_LEASE_END)
_CLAIM = (
    FILES.update()
    .where(SAME_ID, NOT_DELETED, or_(FILES.c.upload_status == UploadStatus.PENDING, ABANDONED))
    .values(
        upload_status=UploadStatus.PROCESSING,
        attempt=FILES.c.attempt + 1,
        stored_bytes=0,
        lease_until=_LEASE_END,
        updated_at=NOW,
    )
    .returning(*FILES.c)
)
_HEARTBEAT = RENEW_WHILE_PROCESSING.values(lease_until=_LEASE_END)
_PROGRESS = UPDATE_WHILE_PROCESSING.values(lease_until=_LEASE_END)
_RELEASE_ABANDONED = UPDATE_WHILE_PROCESSING.where(FILES.c.lease_until < NOW).values(lease_until=None, due_at=NOW)
