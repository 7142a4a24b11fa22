"""Idempotency-Key: a request that is sent again makes no second file (draft-ietf-httpapi-idempotency-key-header-07).

A key is tied to the id of the file that its first request made. The file's row is what says how that request ended.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import Double, String, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from database.engine import UNAVAILABLE, Base, DatabaseTime, connect, execute
from lifecycle import queries
from lifecycle.hashing import HashingStream
from models import File, UploadStatus
from problems import IdempotencyKeyInUse, IdempotencyKeyInvalid, IdempotencyKeyReused
from services import current_services

RETENTION_SECONDS = 24 * 3600
"""Seconds that a key is remembered for."""


class Key(Base):
    """A key, hashed with its owner; its file; and until when its first request is believed to be on its way."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    file_id: Mapped[str] = mapped_column(String(36))
    lease_until: Mapped[float] = mapped_column(Double)
    created_at: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True)
class _Reservation:
    """A key that is ours: as long as we say so now and then, the request counts as being on its way."""

    key: str
    id: str

    def heartbeat(self, seconds: float) -> bool:
        return bool(execute(_RENEW, {"mine": self.key, "file": self.id, "lease": seconds}))


@contextmanager
def idempotent(key: str | None, row: File) -> Iterator[File | None]:
    """Tie `key` to the new file `row` for as long as the block makes it; yields None.

    Or yields the file that a request with this key has made before. If the block raises, the key is free again.
    Raises IdempotencyKeyInvalid, or IdempotencyKeyInUse where such a request is on its way.
    """
    if key is None:
        yield None
        return
    if not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?", key):
        raise IdempotencyKeyInvalid
    key = _key_digest(row.owner, key)
    before = _reserve(key, row)
    if before is not None:
        yield before
        return
    tie = _Reservation(key, row.id)
    try:
        with current_services().leases.renewing(tie):
            yield None
    except BaseException:
        # If this fails too, the key is free when its lease ran out; the first failure is the one to tell.
        with suppress(*UNAVAILABLE):
            execute(_RELEASE, {"mine": key, "file": row.id})
        raise


def require_same_request(before: File, again: File, stream: Iterator[bytes]) -> File:
    """Read a request that came again to its end; the file of the one before, as it is then.

    Raises IdempotencyKeyReused where it is another request, IdempotencyKeyInUse where the file went meanwhile: sent
    once more, the request makes a new one.
    """
    measured = HashingStream(stream)
    for _ in measured.chunks():
        pass
    sent = (again.mode, again.name, measured.size, measured.sha256, _ttl(again))
    if sent != (before.mode, before.name, before.size, before.sha256, _ttl(before)):
        raise IdempotencyKeyReused
    now = queries.get_owned(again.owner, before.id)
    if now is None:
        raise IdempotencyKeyInUse
    return now


def _ttl(row: File) -> int | None:
    """The seconds after which a file goes by itself."""
    return None if row.expires_at is None else round(row.expires_at - row.created_at)


def delete_expired() -> int:
    """Forget keys that are older than KEPT. Returns how many."""
    return len(execute(_DELETE_EXPIRED))


def key_state(row: File | None, *, live: bool, old: bool) -> Literal["free", "busy", "done"]:
    """What a key that was used means now. `live`: its request was heard of lately. `old`: kept long enough.

    A file that its client waited for, and that failed, was never promised: the key is free for another try.
    """
    if old:
        return "free"
    if row is None:
        return "busy" if live else "free"
    if row.mode == "normal":
        ended = {UploadStatus.COMPLETE: "done", UploadStatus.ERROR: "free"}
        return cast(Literal["free", "busy", "done"], ended.get(row.upload_status, "busy"))
    return "done"


def _key_digest(owner: str | None, key: str) -> str:
    """What is kept of a key: those of two owners never meet, and nobody can make one up that is another's."""
    return hashlib.sha256(f"{owner or ''}\n{key}".encode()).hexdigest()


def _reserve(key: str, new: File) -> File | None:
    """Tie the key to the file `new`, or return the file of the same owner that it stands for.

    One that was deleted, or given to another owner (`moves.adopt`), is as unknown here as in every other look-up.
    """
    values = {"mine": key, "file": new.id, "lease": current_services().leases.seconds}
    try:
        execute(_MAKE, values)
        return None
    except IntegrityError:
        pass
    with connect() as connection:
        found = connection.execute(_FIND, {"mine": key}).one_or_none()
    if found is None:
        raise IdempotencyKeyInUse
    row = queries.get_owned(new.owner, found.file_id)
    now = key_state(row, live=bool(found.live), old=bool(found.old))
    if now == "done":
        return row
    if now == "free" and execute(_TAKE_OVER, values | {"before": found.file_id}):
        return None
    raise IdempotencyKeyInUse


_KEYS = cast(Table, Key.__table__)
_NOW = DatabaseTime()
_AHEAD = _NOW + bindparam("lease", type_=Double())
_MINE = _KEYS.c.key == bindparam("mine")
_MAKE = insert(_KEYS).values(key=bindparam("mine"), file_id=bindparam("file"), lease_until=_AHEAD, created_at=_NOW)
_FIND = select(
    _KEYS.c.file_id,
    (_KEYS.c.lease_until > _NOW).label("live"),
    (_KEYS.c.created_at < _NOW - RETENTION_SECONDS).label("old"),
).where(_MINE)
_TAKE_OVER = (
    update(_KEYS)
    .where(_MINE, _KEYS.c.file_id == bindparam("before"))
    .values(file_id=bindparam("file"), lease_until=_AHEAD, created_at=_NOW)
    .returning(_KEYS.c.key)
)
_RENEW = (
    update(_KEYS).where(_MINE, _KEYS.c.file_id == bindparam("file")).values(lease_until=_AHEAD).returning(_KEYS.c.key)
)
_RELEASE = delete(_KEYS).where(_MINE, _KEYS.c.file_id == bindparam("file"))
_DELETE_EXPIRED = delete(_KEYS).where(_KEYS.c.created_at < _NOW - RETENTION_SECONDS).returning(_KEYS.c.key)
