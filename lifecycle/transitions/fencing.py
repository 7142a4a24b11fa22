"""How a move is made: it changes the row only while that has the attempt's number that whoever moves it knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Double, Row, Update, bindparam

from database.engine import execute, transaction
from models import FILES, NOW, File, UploadStatus
from quotas import storage_quota


def apply(
    row: File, statement: Update, values: dict[str, Any], count: tuple[int, int] = (0, 0), **lengths: float
) -> bool:
    """Change the row if, and only if, it still is as the statement wants it, and then this value with it.

    `count` is by how many bytes and files that changes what the owner has: in the same transaction.
    """
    fence = {"mine": row.id, "my_attempt": row.attempt}
    asked = values | lengths | fence
    if row.owner is None or count == (0, 0):
        found = execute(statement, asked)
    else:
        found = transaction(partial(_counted, statement, asked, row.owner, count))
    if found:
        vars(row).update(values, **found[0]._mapping)
    return bool(found)


def _counted(
    statement: Update, values: dict[str, Any], owner: str, count: tuple[int, int], connection: Connection
) -> Sequence[Row[Any]]:
    found = connection.execute(statement, values).all()
    if found:
        storage_quota.adjust(connection, owner, *count)
    return found


def update_lease(row: File, statement: Update, **values: float) -> bool:
    """A move beside the work. This value stays as it is: the thread that works may just be ending the file."""
    return bool(execute(statement, values | {"mine": row.id, "my_attempt": row.attempt}))


# Statements are built once: building one takes longer than running it.
SAME_ID = FILES.c.id == bindparam("mine")
AFTER_PAUSE = NOW + bindparam("pause", type_=Double())
UPDATE_IF_CURRENT = (
    FILES.update().where(SAME_ID, FILES.c.attempt == bindparam("my_attempt")).returning(FILES.c.updated_at)
)
WHILE_PROCESSING = UPDATE_IF_CURRENT.where(FILES.c.upload_status == UploadStatus.PROCESSING)
TOUCHING = WHILE_PROCESSING.values(updated_at=NOW)
TERMINAL = TOUCHING.values(lease_until=None, due_at=None)
