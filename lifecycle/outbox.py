"""The outbox: what must follow a COMPLETE file, written in the transaction that makes it COMPLETE.

An entry says that one subscriber must be called for one file. It is deleted once the subscriber has returned: a
subscriber is called at least once, and again after a crash, so its effect must be idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import uuid_utils
from sqlalchemy import Connection, Double, Index, Row, String, Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from database.engine import Base, DatabaseTime, connect, execute

CLAIM_SECONDS = 300.0
"""Seconds that a claimed entry is left to its process. If that dies, another one takes the entry then."""


class OutboxEntry(Base):
    """One subscriber to call for one file. Times are seconds since the epoch, by the database's clock."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due_at", "due_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """A UUIDv7."""
    subscriber: Mapped[str] = mapped_column(String(64))
    file_id: Mapped[str] = mapped_column(String(36))
    attempt: Mapped[int] = mapped_column(default=0)
    """Calls begun. It fences them: only the latest one may end the entry."""
    due_at: Mapped[float | None] = mapped_column(Double)
    """When it may be claimed; None once the attempts are exhausted."""
    created_at: Mapped[float] = mapped_column(Double)


def new_entries(file_id: str, subscribers: Iterable[str]) -> list[dict[str, str]]:
    """Return an entry for each subscriber, for `add`."""
    return [{"new_id": str(uuid_utils.uuid7()), "subscriber": name, "file_id": file_id} for name in subscribers]


def add(connection: Connection, entries: Sequence[Mapping[str, str]]) -> None:
    """Insert entries in the caller's transaction, due at once."""
    connection.execute(_ADD, list(entries))


def due(subscribers: Iterable[str], limit: int) -> Sequence[str]:
    """Return the ids of entries for these subscribers that may be claimed, longest due first."""
    with connect() as connection:
        return connection.execute(_DUE, {"subscribers": list(subscribers), "limit": limit}).scalars().all()


def claim(id: str) -> Row[Any] | None:
    """Claim a due entry for CLAIM_SECONDS. Returns its subscriber, file_id and attempt; None if another process has."""
    rows = execute(_CLAIM, {"entry_id": id, "seconds": CLAIM_SECONDS})
    return rows[0] if rows else None


def remove(id: str, attempt: int) -> bool:
    """Delete an entry whose subscriber has returned. False: it was claimed again meanwhile."""
    return bool(execute(_REMOVE, {"entry_id": id, "expected_attempt": attempt}))


def defer(id: str, attempt: int, delay: float) -> bool:
    """Make a failed entry due in `delay` seconds. False: it was claimed again meanwhile."""
    return bool(execute(_DEFER, {"entry_id": id, "expected_attempt": attempt, "seconds": delay}))


def give_up(id: str, attempt: int) -> bool:
    """End an entry whose attempts are exhausted: it is kept for the operator until `prune`."""
    return bool(execute(_GIVE_UP, {"entry_id": id, "expected_attempt": attempt}))


def prune(retention: float) -> int:
    """Delete the entries that were given up and are older than `retention` seconds. Returns their number."""
    return len(execute(_PRUNE, {"seconds": retention}))


# Statements are built once: building one takes longer than running it.
_OUTBOX = cast(Table, OutboxEntry.__table__)
_NOW = DatabaseTime()
_AFTER = _NOW + bindparam("seconds", type_=Double())
_THIS = _OUTBOX.c.id == bindparam("entry_id")
_CURRENT = _OUTBOX.c.attempt == bindparam("expected_attempt")
_ADD = insert(_OUTBOX).values(
    id=bindparam("new_id"),
    subscriber=bindparam("subscriber"),
    file_id=bindparam("file_id"),
    attempt=0,
    due_at=_NOW,
    created_at=_NOW,
)
_DUE = (
    select(_OUTBOX.c.id)
    .where(_OUTBOX.c.due_at <= _NOW, _OUTBOX.c.subscriber.in_(bindparam("subscribers", expanding=True)))
    .order_by(_OUTBOX.c.due_at)
    .limit(bindparam("limit"))
)
_CLAIM = (
    update(_OUTBOX)
    .where(_THIS, _OUTBOX.c.due_at <= _NOW)
    .values(attempt=_OUTBOX.c.attempt + 1, due_at=_AFTER)
    .returning(_OUTBOX.c.subscriber, _OUTBOX.c.file_id, _OUTBOX.c.attempt)
)
_REMOVE = delete(_OUTBOX).where(_THIS, _CURRENT).returning(_OUTBOX.c.id)
_DEFER = update(_OUTBOX).where(_THIS, _CURRENT).values(due_at=_AFTER).returning(_OUTBOX.c.id)
_GIVE_UP = update(_OUTBOX).where(_THIS, _CURRENT).values(due_at=None).returning(_OUTBOX.c.id)
_PRUNE = (
    delete(_OUTBOX)
    .where(_OUTBOX.c.due_at.is_(None), _OUTBOX.c.created_at < _NOW - bindparam("seconds", type_=Double()))
    .returning(_OUTBOX.c.id)
)
