"""Locks that hold over processes and hosts: rows of the database, each taken for a time. Nobody gives one back.

They save work that would be done twice. What must not happen twice is guarded by the fence of a file's row.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import Double, String, Table, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from database.engine import Base, DatabaseTime, connect, execute


class Lock(Base):
    """Who may do what only one should, and until when (seconds since the epoch)."""

    __tablename__ = "locks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(36))
    until: Mapped[float] = mapped_column(Double)


def acquire(name: str, holder: str, seconds: float) -> bool:
    """Take the lock, or keep it, until `seconds` from now. False: somebody else has it."""
    values = {"wanted": name, "me": holder, "seconds": seconds}
    if execute(_TAKE, values):
        return True
    try:
        execute(_MAKE, values)
    except IntegrityError:
        return False
    return True


def current_holder(name: str) -> str | None:
    """Who took the lock last."""
    with connect() as connection:
        return connection.execute(_HOLDER, {"wanted": name}).scalar_one_or_none()


_LOCKS = cast(Table, Lock.__table__)
_NOW = DatabaseTime()
_UNTIL = _NOW + bindparam("seconds", type_=Double())
_TAKE = (
    update(_LOCKS)
    .where(_LOCKS.c.name == bindparam("wanted"), or_(_LOCKS.c.until < _NOW, _LOCKS.c.holder == bindparam("me")))
    .values(holder=bindparam("me"), until=_UNTIL)
    .returning(_LOCKS.c.name)
)
_MAKE = insert(_LOCKS).values(name=bindparam("wanted"), holder=bindparam("me"), until=_UNTIL)
_HOLDER = select(_LOCKS.c.holder).where(_LOCKS.c.name == bindparam("wanted"))
