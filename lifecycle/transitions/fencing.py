"""Fencing: a transition changes a row only while the row still has the caller's attempt number.

The fencing token is the row's `attempt`: a claim, a deletion and a change of owner raise it, and nothing lowers it.

The storage knows no token: a process that was suspended may still write after its lease has expired. This is harmless.
All attempts of a file write the same key, and each verifies size and SHA-256 before it sends the last part, so a late
object has the same bytes. If the file has failed or is deleted by then (normal mode has one attempt only), the object
is an orphan, for the sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Double, Row, Update, bindparam

from database.engine import execute, transaction
from models import FILES, NOW, File, UploadStatus
from quotas import storage_quota

# Statements are built once: building one takes longer than running it.
SAME_ID = FILES.c.id == bindparam("file_id")
NOW_PLUS_DELAY = NOW + bindparam("delay", type_=Double())
UPDATE_IF_CURRENT = (
    FILES.update().where(SAME_ID, FILES.c.attempt == bindparam("expected_attempt")).returning(FILES.c.updated_at)
)
"""Only while the row has the caller's attempt number."""
RENEW_WHILE_PROCESSING = UPDATE_IF_CURRENT.where(FILES.c.upload_status == UploadStatus.PROCESSING)
"""Does not set `updated_at`: clients that wait for a change must not wake for a heartbeat."""
UPDATE_WHILE_PROCESSING = RENEW_WHILE_PROCESSING.values(updated_at=NOW)
END_ATTEMPT = UPDATE_WHILE_PROCESSING.values(lease_until=None, due_at=None)


def apply(
    row: File, statement: Update, values: dict[str, Any], quota_change: tuple[int, int] = (0, 0), **intervals: float
) -> bool:
    """Run a transition; on success update `row` too. Returns False if the row no longer matches the statement.

    `values`: the new values of columns, by name. `quota_change`: the bytes and files added to the owner's usage, in the
    same transaction. `intervals`: seconds that the statement adds to the database's clock.
    """
    parameters = values | intervals | {"file_id": row.id, "expected_attempt": row.attempt}
    if row.owner is None or quota_change == (0, 0):
        updated = execute(statement, parameters)
    else:
        updated = transaction(partial(_update_with_quota, statement, parameters, row.owner, quota_change))
    if updated:
        vars(row).update(values, **updated[0]._mapping)
    return bool(updated)


def _update_with_quota(
    statement: Update, parameters: dict[str, Any], owner: str, quota_change: tuple[int, int], connection: Connection
) -> Sequence[Row[Any]]:
    updated = connection.execute(statement, parameters).all()
    if updated:
        storage_quota.adjust(connection, owner, *quota_change)
    return updated


def update_lease(row: File, statement: Update, **values: float) -> bool:
    """Run a transition from the lease thread. Leaves `row` alone: the working thread may be ending the file."""
    return bool(execute(statement, values | {"file_id": row.id, "expected_attempt": row.attempt}))
