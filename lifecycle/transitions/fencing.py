"""Fencing: a transition changes a row only while the row still has the caller's attempt number.

The fencing token is the row's `attempt`: a claim, a deletion and a change of owner raise it, and nothing lowers it.

The storage knows no token: a process that was suspended may still write after its lease has expired. This is harmless.
All attempts of a file write the same key, and each verifies size and SHA-256 before it sends the last part, so a late
object has the same bytes. If the file has failed or is deleted by then (normal mode has one attempt only), the object
is an orphan, for the sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Double, Row, Update, bindparam

from database.engine import execute, transaction
from lifecycle import outbox
from models import FILES, NOW, FileRow, UploadStatus
from quotas import storage_quota
from services import current_services

# Statements are built once: building one takes longer than running it.
SAME_ID = FILES.c.id == bindparam("file_id")
NOW_PLUS_DELAY = NOW + bindparam("delay", type_=Double())
UPDATE_IF_CURRENT = FILES.update().where(SAME_ID, FILES.c.attempt == bindparam("expected_attempt")).returning(*FILES.c)
"""Only while the row has the caller's attempt number."""
RENEW_WHILE_PROCESSING = UPDATE_IF_CURRENT.where(FILES.c.upload_status == UploadStatus.PROCESSING)
"""Does not set `updated_at`: clients that wait for a change must not wake for a heartbeat."""
UPDATE_WHILE_PROCESSING = RENEW_WHILE_PROCESSING.values(updated_at=NOW)
END_ATTEMPT = UPDATE_WHILE_PROCESSING.values(lease_until=None, due_at=None)


def apply(
    row: FileRow,
    statement: Update,
    values: dict[str, Any],
    quota_change: tuple[int, int] = (0, 0),
    entries: Sequence[Mapping[str, str]] = (),
    *,
    frees_quota: bool = False,
    **intervals: float,
) -> FileRow | None:
    """Run a transition and return the new row. None: the row no longer matches the statement.

    `values`: the new values of columns, by name. `intervals`: seconds that the statement adds to the database's clock.
    In the same transaction `quota_change`, bytes and files, is added to the owner's usage, and `entries` to the outbox.
    With `frees_quota` the file leaves the owner's usage: with what the row has reserved, because the answer to the last
    reservation may have been lost.
    """
    parameters = values | intervals | {"file_id": row.id, "expected_attempt": row.attempt}
    also: list[Callable[[Connection, FileRow], object]] = []
    if row.owner is not None and (frees_quota or quota_change != (0, 0)):
        also.append(partial(_change_quota, row.owner, None if frees_quota else quota_change))
    if entries:
        also.append(lambda connection, _: outbox.add(connection, entries))
    updated = transaction(partial(_update_and, statement, parameters, also)) if also else execute(statement, parameters)
    if not updated:
        return None
    current_services().changes.wake(row.id)
    return FileRow._make(updated[0])


def _update_and(
    statement: Update,
    parameters: dict[str, Any],
    also: Sequence[Callable[[Connection, FileRow], object]],
    connection: Connection,
) -> Sequence[Row[Any]]:
    updated = connection.execute(statement, parameters).all()
    if updated:
        for change in also:
            change(connection, FileRow._make(updated[0]))
    return updated


def _change_quota(owner: str, change: tuple[int, int] | None, connection: Connection, updated: FileRow) -> None:
    size, files = change or (-updated.reserved, -1)
    storage_quota.adjust(connection, owner, size, files)


def update_lease(row: FileRow, statement: Update, **values: float) -> bool:
    """Run a transition of the lease thread. False: the row no longer matches the statement."""
    return bool(execute(statement, values | {"file_id": row.id, "expected_attempt": row.attempt}))
