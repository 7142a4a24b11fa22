"""Claims: insert a row, claim its file, renew the lease, release an abandoned file."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, Double, Row, bindparam, or_
from sqlalchemy.sql.dml import ReturningInsert

from database.engine import execute, transaction
from lifecycle.transitions.fencing import RENEW_WHILE_PROCESSING, SAME_ID, UPDATE_WHILE_PROCESSING, apply, update_lease
from models import ABANDONED, FILES, NOT_DELETED, NOW, File, UploadStatus
from quotas import storage_quota
from services import current_services


def insert(row: File, lease_seconds: float, *, status: UploadStatus = UploadStatus.PENDING) -> None:
    """Commit the row of a new file as PENDING, or as PROCESSING: then the caller has claimed it (attempt 1).

    A PENDING file that is not claimed within `lease_seconds` is due for the sweep. `row.reserved` bytes count towards
    the owner's quota; a PROCESSING file may reserve less, as much as fits, and `row.reserved` is updated.
    Raises QuotaExceeded if even that does not fit. The row's times are set by the database's clock: of the times in
    `row`, which are by the host's, only the interval from `created_at` to `expires_at` is kept.
    """
    processing = status == UploadStatus.PROCESSING
    values = {name: getattr(row, name) for name in _INSERT_COLUMNS}
    values |= {"stored_bytes": 0, "attempts_before": 0, "deleted_at": None}
    values |= {"received_bytes": row.size or 0, "version_id": None}
    values |= {"upload_status": status, "attempt": int(processing)}
    ttl = None if row.expires_at is None else row.expires_at - row.created_at
    statement, parameters = (
        _INSERT_PROCESSING if processing else _INSERT_PENDING,
        values | {"lease": lease_seconds, "ttl": ttl},
    )
    if row.owner is None:
        (inserted,) = execute(statement, parameters)
    else:
        inserted = transaction(
            partial(_insert_with_quota, statement, parameters, row.owner, all_or_nothing=not processing)
        )
    vars(row).update(values, **inserted._mapping)


def _insert_with_quota(
    statement: ReturningInsert[Any], values: dict[str, Any], owner: str, connection: Connection, *, all_or_nothing: bool
) -> Row[Any]:
    reserved = storage_quota.adjust(connection, owner, values["reserved"], 1, all_or_nothing=all_or_nothing)
    return connection.execute(statement, values | {"reserved": reserved}).one()


def claim(row: File, lease_seconds: float) -> bool:
    """Claim a PENDING file, or one whose lease expired, for `lease_seconds`. Sets `row.attempt` on success."""
    claimed = execute(_CLAIM, {"file_id": row.id, "lease": lease_seconds})
    if claimed:
        vars(row).update(claimed[0]._mapping, upload_status=UploadStatus.PROCESSING)
        current_services().changes.wake(row.id)
    return bool(claimed)


def heartbeat(row: File, lease_seconds: float) -> bool:
    """Renew the lease to `lease_seconds` from now. False: another attempt has the file."""
    return update_lease(row, _HEARTBEAT, lease=lease_seconds)


def progress(row: File, lease_seconds: float, received: int, stored: int) -> bool:
    """Renew the lease and record progress. For a spooled file `received_bytes` is its full size."""
    return update_lease(row, _PROGRESS, lease=lease_seconds, received_bytes=row.size or received, stored_bytes=stored)


def reserve_bytes(row: File, size: int) -> bool:
    """Reserve `size` more bytes of the owner's quota. False: another attempt has the file. Raises QuotaExceeded."""
    return apply(row, UPDATE_WHILE_PROCESSING, {"reserved": row.reserved + size}, quota_change=(size, 0))


def release_abandoned(row: File) -> bool:
    """Put a file whose lease expired back to PENDING, due now. False: its lease has not expired."""
    return apply(row, _RELEASE_ABANDONED, {"upload_status": UploadStatus.PENDING, "stored_bytes": 0})


# Statements are built once: building one takes longer than running it.
_INSERT_COLUMNS = (
    "id", "name", "key", "mode", "size", "sha256", "content_type", "detected_type", "owner", "reserved", "spool",
)  # fmt: skip
_LEASE_END = NOW + bindparam("lease", type_=Double())
_INSERT = (
    FILES.insert()
    .values(created_at=NOW, updated_at=NOW, expires_at=NOW + bindparam("ttl", type_=Double()))
    .returning(FILES.c.created_at, FILES.c.updated_at, FILES.c.expires_at, FILES.c.reserved)
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
    .returning(FILES.c.attempt, FILES.c.stored_bytes, FILES.c.updated_at)
)
_HEARTBEAT = RENEW_WHILE_PROCESSING.values(lease_until=_LEASE_END)
_PROGRESS = UPDATE_WHILE_PROCESSING.values(lease_until=_LEASE_END)
_RELEASE_ABANDONED = UPDATE_WHILE_PROCESSING.where(FILES.c.lease_until < NOW).values(lease_until=None, due_at=NOW)
