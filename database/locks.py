"""Locks across processes and hosts: rows of the database, each with an expiry. They are not released, they expire.

They only save repeated work. What must not happen twice is protected by the fencing token of a file's row.
"""

from __future__ import annotations

import uuid
from typing import cast

from sqlalchemy import Double, String, Table, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from database.engine import Base, DatabaseTime, connect, execute


class Lock(Base):
    """A lock, its holder and its expiry (seconds since the epoch)."""

    __tablename__ = "locks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(36))
    until: Mapped[float] = mapped_column(Double)


def acquire(name: str, holder: str, seconds: float) -> bool:
    """Acquire or renew a lock until `seconds` from now. False: another holder has it."""
    values = {"lock": name, "new_holder": holder, "seconds": seconds}
    if execute(_UPDATE, values):
        return True
    try:
        execute(_INSERT, values)
    except IntegrityError:
        return False
    return True


def first_within(name: str, seconds: float) -> bool:
    """Return True for the first call of any process, and then for one call every `seconds`."""
    return acquire(name, str(uuid.uuid4()), seconds)


def current_holder(name: str) -> str | None:
    """The last holder of the lock; None if it was never acquired."""
    with connect() as connection:
        return connection.execute(_SELECT_HOLDER, {"lock": name}).scalar_one_or_none()


_LOCKS = cast(Table, Lock.__table__)
_NOW = DatabaseTime()
_UNTIL = _NOW + bindparam("seconds", type_=Double())
_UPDATE = (
    update(_LOCKS)
    .where(_LOCKS.c.name == bindparam("lock"), or_(_LOCKS.c.until < _NOW, _LOCKS.c.holder == bindparam("new_holder")))
    .values(holder=bindparam("new_holder"), until=_UNTIL)
    .returning(_LOCKS.c.name)
)
_INSERT = insert(_LOCKS).values(name=bindparam("lock"), holder=bindparam("new_holder"), until=_UNTIL)
_SELECT_HOLDER = select(_LOCKS.c.holder).where(_LOCKS.c.name == bindparam("lock"))
