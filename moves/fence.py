"""How a move is made: it changes the row only while that has the attempt's number that whoever moves it knows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Double, Update, bindparam

import owners
from database import transaction, writing
from models import FILES, NOW, File, UploadStatus


def move(
    row: File, statement: Update, values: dict[str, Any], count: tuple[int, int] = (0, 0), **lengths: float
) -> bool:
    """Change the row if, and only if, it still is as the statement wants it, and then this value with it.

    `count` is by how many bytes and files that changes what the owner has: in the same transaction.
    """
    fence = {"mine": row.id, "my_attempt": row.attempt}
    counted = row.owner is not None and count != (0, 0)
    with transaction() if counted else writing() as connection:
        found = connection.execute(statement, values | lengths | fence).one_or_none()
        if found is not None and counted:
            owners.add(connection, row.owner or "", *count)
    if found is not None:
        vars(row).update(values, **found._mapping)
    return found is not None


def keep(row: File, statement: Update, **values: float) -> bool:
    """A move beside the work. This value stays as it is: the thread that works may just be ending the file."""
    with writing() as connection:
        fence = {"mine": row.id, "my_attempt": row.attempt}
        return connection.execute(statement, values | fence).one_or_none() is not None


# Statements are built once: building one takes longer than running it.
MINE = FILES.c.id == bindparam("mine")
LATER = NOW + bindparam("pause", type_=Double())
MOVE = FILES.update().where(MINE, FILES.c.attempt == bindparam("my_attempt")).returning(FILES.c.updated_at)
HOLDING = MOVE.where(FILES.c.upload_status == UploadStatus.PROCESSING)
HELD = HOLDING.values(updated_at=NOW)
END = HELD.values(lease_until=None, due_at=None)
