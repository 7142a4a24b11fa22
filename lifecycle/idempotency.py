"""Idempotency-Key: a repeated request creates no second file (draft-ietf-httpapi-idempotency-key-header-07).

A key is stored with the id of the file that its first request created; that file's row shows how the request ended.
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

from content.hashing import Hashing
from database.engine import UNAVAILABLE, Base, DatabaseTime, connect, execute
from lifecycle import queries
from models import FileRow, NewFile, UploadStatus
from problems import IdempotencyKeyInUse, IdempotencyKeyInvalid, IdempotencyKeyReused
from services import current_services

RETENTION_SECONDS = 24 * 3600

MAX_KEY_LENGTH = 255
KEY_PATTERN = f"[!-~]([ -~]{{0,{MAX_KEY_LENGTH - 2}}}[!-~])?"
"""1 to 255 printable ASCII characters without a space at either end. The OpenAPI document has the same pattern."""


class IdempotencyKey(Base):
    """A used key: its hash, its file, and the lease of the request that is still being processed."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    file_id: Mapped[str] = mapped_column(String(36))
    lease_until: Mapped[float] = mapped_column(Double)
    created_at: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True)
class _KeyClaim:
    """A key that this request has claimed. While it is renewed, the request counts as in progress."""

    digest: str
    id: str
    """Of the new file."""

    def heartbeat(self, seconds: float) -> bool:
        return bool(execute(_RENEW, {"digest": self.digest, "new_file_id": self.id, "lease": seconds}))


@contextmanager
def idempotent(key: str | None, new: NewFile) -> Iterator[FileRow | None]:
    """Claim `key` for the new file while the block creates it; yields None.

    If an earlier request with this key has created a file, yields that file instead. If the block raises, the key is
    released. Raises IdempotencyKeyInvalid; IdempotencyKeyInUse while an earlier request is in progress.
    """
    if key is None:
        yield None
        return
    if not re.fullmatch(KEY_PATTERN, key):
        raise IdempotencyKeyInvalid
    digest = _key_digest(new.owner, key)
    existing = _claim(digest, new)
    if existing is not None:
        yield existing
        return
    try:
        with current_services().leases.renewing(_KeyClaim(digest, new.id)):
            yield None
    except BaseException:
        # If the release fails too, the key is free once its lease has expired; the first error is the one to raise.
        with suppress(*UNAVAILABLE):
            execute(_RELEASE, {"digest": digest, "new_file_id": new.id})
        raise


def require_same_request(existing: FileRow, request: NewFile, stream: Iterator[bytes]) -> FileRow:
    """Read a repeated request to its end, and return the existing file as it is then.

    Raises IdempotencyKeyReused if the requests differ, IdempotencyKeyInUse if the existing file was deleted meanwhile:
    the next repetition creates a new one.
    """
    with Hashing() as hashing:
        for chunk in stream:
            hashing.update(chunk)
    sent = (request.mode, request.name, hashing.size, hashing.sha256, request.ttl and round(request.ttl))
    if sent != (existing.mode, existing.name, existing.size, existing.sha256, _ttl(existing)):
        raise IdempotencyKeyReused
    current = queries.get_owned(request.owner, existing.id)
    if current is None:
        raise IdempotencyKeyInUse
    return current


def _ttl(row: FileRow) -> int | None:
    """The whole seconds from creation to expiry; None if the file does not expire."""
    return None if row.expires_at is None else round(row.expires_at - row.created_at)


def delete_expired() -> int:
    """Delete keys older than RETENTION_SECONDS. Returns their number."""
    return len(execute(_DELETE_EXPIRED))


def key_state(row: FileRow | None, *, live: bool, expired: bool) -> Literal["free", "busy", "done"]:
    """The state of a used key whose file is `row`. `live`: the lease of its request has not expired.

    A failed upload in normal mode was answered with an error, and so frees its key for another try.
    """
    if expired:
        return "free"
    if row is None:
        return "busy" if live else "free"
    if row.mode == "normal":
        ended = {UploadStatus.COMPLETE: "done", UploadStatus.ERROR: "free"}
        return cast(Literal["free", "busy", "done"], ended.get(row.upload_status, "busy"))
    return "done"


def _key_digest(owner: str | None, key: str) -> str:
    """Hash of owner and key: keys of two owners never collide, and can't be forged for another owner."""
    return hashlib.sha256(f"{owner or ''}\n{key}".encode()).hexdigest()


def _claim(digest: str, request: NewFile) -> FileRow | None:
    """Claim the key for the new file, or return the existing file of the same owner that the key stands for.

    A file that was deleted, or assigned to another owner, is unknown here as in every other query.
    """
    values = {"digest": digest, "new_file_id": request.id, "lease": current_services().leases.seconds}
    try:
        execute(_INSERT, values)
        return None
    except IntegrityError:
        pass
    with connect() as connection:
        found = connection.execute(_SELECT, {"digest": digest}).one_or_none()
    if found is None:
        raise IdempotencyKeyInUse
    row = queries.get_owned(request.owner, found.file_id)
    state = key_state(row, live=bool(found.live), expired=bool(found.expired))
    if state == "done":
        return row
    if state == "free" and execute(_TAKE_OVER, values | {"existing_file_id": found.file_id}):
        return None
    raise IdempotencyKeyInUse


_KEYS = cast(Table, IdempotencyKey.__table__)
_NOW = DatabaseTime()
_LEASE_END = _NOW + bindparam("lease", type_=Double())
_EXPIRED = _KEYS.c.created_at < _NOW - RETENTION_SECONDS
_THIS_KEY = _KEYS.c.key == bindparam("digest")
_OF_NEW_FILE = _KEYS.c.file_id == bindparam("new_file_id")
_INSERT = insert(_KEYS).values(
    key=bindparam("digest"), file_id=bindparam("new_file_id"), lease_until=_LEASE_END, created_at=_NOW
)
_SELECT = select(_KEYS.c.file_id, (_KEYS.c.lease_until > _NOW).label("live"), _EXPIRED.label("expired")).where(
    _THIS_KEY
)
_TAKE_OVER = (
    update(_KEYS)
    .where(_THIS_KEY, _KEYS.c.file_id == bindparam("existing_file_id"))
    .values(file_id=bindparam("new_file_id"), lease_until=_LEASE_END, created_at=_NOW)
    .returning(_KEYS.c.key)
)
_RENEW = update(_KEYS).where(_THIS_KEY, _OF_NEW_FILE).values(lease_until=_LEASE_END).returning(_KEYS.c.key)
_RELEASE = delete(_KEYS).where(_THIS_KEY, _OF_NEW_FILE)
_DELETE_EXPIRED = delete(_KEYS).where(_EXPIRED).returning(_KEYS.c.key)
