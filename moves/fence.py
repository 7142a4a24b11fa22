"""How a move is made: it changes the row only while that has the attempt's number that whoever moves it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Double, Row, Update, bindparam

import owners
from database import transaction, write
from models import FILES, NOW, File, UploadStatus


def move(
    row: File, statement: Update, values: dict[str, Any], count: tuple[int, int] = (0, 0), **lengths: float
) -> bool:
    """Change the row if, and only if, it still is as the statement wants it, and then this value with it.

    `count` is by how many bytes and files that changes what the owner has: in the same transaction.
    """
    fence = {"mine": row.id, "my_attempt": row.attempt}
    found = changed(statement, values | lengths | fence, row.owner if count != (0, 0) else None, lambda _: count)
    if found is not None:
        vars(row).update(values, **found._mapping)
    return found is not None


def changed(
    statement: Update, values: Mapping[str, Any], owner: str | None, count: Callable[[Row[Any]], tuple[int, int]]
) -> Row[Any] | None:
    """The row that a statement has changed, if it has; and with it what an owner has, by `count(row)`."""
    if owner is None:
        return next(iter(write(statement, values)), None)

    def work(connection: Connection) -> Row[Any] | None:
        found = connection.execute(statement, values).one_or_none()
        if found is not None and (by := count(found)) != (0, 0):
            owners.add(connection, owner, *by)
        return found

    return transaction(work)


def keep(row: File, statement: Update, **values: float) -> bool:
    """A move beside the work. This value stays as it is: the thread that works may just be ending the file."""
    return bool(write(statement, values | {"mine": row.id, "my_attempt": row.attempt}))


# Statements are built once: building one takes longer than running it.
MINE = FILES.c.id == bindparam("mine")
LATER = NOW + bindparam("pause", type_=Double())
MOVE = FILES.update().where(MINE, FILES.c.attempt == bindparam("my_attempt")).returning(FILES.c.updated_at)
HOLDING = MOVE.where(FILES.c.upload_status == UploadStatus.PROCESSING)
HELD = HOLDING.values(updated_at=NOW)
END = HELD.values(lease_until=None, due_at=None)
