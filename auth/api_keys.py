"""API keys: who may do what. Of a key only a SHA-256 is kept: it is random enough that nothing slower is needed."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    Connection,
    Double,
    ForeignKey,
    Row,
    String,
    Table,
    Update,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from database.engine import Base, DatabaseTime, connect, execute, transaction
from quotas.storage_quota import Owner

SCOPES = ("upload", "read", "delete")


class ApiKey(Base):
    """A key of an owner. Rows are never removed: that there was a key once is what closes the doors to strangers."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), ForeignKey("owners.name"))
    scopes: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    old_digest: Mapped[str | None] = mapped_column(String(64))
    old_until: Mapped[float | None] = mapped_column(Double)
    expires_at: Mapped[float | None] = mapped_column(Double)
    revoked_at: Mapped[float | None] = mapped_column(Double)
    used_at: Mapped[float | None] = mapped_column(Double)
    uploads_at_once: Mapped[int | None]
    created_at: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True)
class Key:
    """A key that can be used now: what it may do, for whom, and the digests of the tokens that stand for it.

    `uploads_at_once`: the key's own bound of transfers at once in a web process; None: UPLOADS_AT_ONCE counts.
    `use_recorded`: that it was used, less than ten minutes before it was read.
    """

    id: str
    owner: str
    scopes: frozenset[str]
    digests: tuple[str, ...]
    quota_bytes: int | None
    quota_files: int | None
    quota_uploads: int | None
    uploads_at_once: int | None
    use_recorded: bool

    def verify(self, token: str) -> bool:
        """Whether `token` stands for this key. Takes the same time for each that does not."""
        found = [hmac.compare_digest(_digest(token), digest) for digest in self.digests]
        return any(found)


def key_id_in_token(token: str) -> str | None:
    """The id of the key that `token` would stand for; None where it does not look like one of ours."""
    match = re.fullmatch(r"ferry_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", token)
    return match and match[1]


def get_live(id: str) -> Key | None:
    """The key with this id, if it can be used by the database's clock."""
    with connect() as connection:
        row = connection.execute(_FIND, {"mine": id}).one_or_none()
    if row is None:
        return None
    digests = (row.digest, row.old_digest) if row.old_is_live else (row.digest,)
    quotas = (row.quota_bytes, row.quota_files, row.quota_uploads)
    scopes = frozenset(row.scopes.split(","))
    return Key(id, row.owner, scopes, digests, *quotas, row.uploads_at_once, row.use_recorded)


def record_use(id: str) -> None:
    """Note that the key was used now, for the operator to see."""
    execute(_USED, {"mine": id})


def any_exists() -> bool:
    """Whether a key was ever made."""
    with connect() as connection:
        return bool(connection.execute(_ANY).scalar_one())


def create(
    owner: str,
    scopes: Sequence[str],
    seconds: float | None,
    *,
    uploads_at_once: int | None = None,
    **quotas: int | None,
) -> str:
    """Make a key for an owner, who is made if new. It expires in `seconds`, or never. Returns its token.

    `uploads_at_once` is its own bound, as by `change`; `quotas` of the owner are changed with it, as by `change_quota`.
    """
    id = secrets.token_hex(6)
    token = _token(id)
    values = {
        "id": id,
        "owner": owner,
        "scopes": ",".join(scopes),
        "digest": _digest(token),
        "seconds": seconds,
        "uploads_at_once": uploads_at_once,
    }

    def work(connection: Connection) -> None:
        if connection.execute(_OWNER, {"name": owner}).one_or_none() is None:
            connection.execute(_MAKE_OWNER, {"name": owner})
        connection.execute(_MAKE if seconds is not None else _MAKE_FOR_EVER, values)
        if quotas:
            connection.execute(_changed(owner, quotas))

    transaction(work)
    return token


def rotate(id: str, seconds: float) -> str | None:
    """Give a key a new token, which is returned; the old one stands for it `seconds` more. None: it can't be used."""
    token = _token(id)
    return token if execute(_ROTATE, {"mine": id, "new": _digest(token), "seconds": seconds}) else None


def revoke(id: str) -> bool:
    """End a key. False: there is no such key, or it had ended."""
    return bool(execute(_REVOKE, {"mine": id}))


def set_transfer_limit(id: str, uploads_at_once: int | None) -> bool:
    """Set a key's own bound of transfers at once; None takes it away. False: there is no such key, or it had ended."""
    return bool(execute(_SET_BOUND, {"mine": id, "bound": uploads_at_once}))


def set_quotas(owner: str, **quotas: int | None) -> bool:
    """Set those of the owner's quotas `quota_bytes`, `quota_files`, `quota_uploads`. False: there is no such owner."""
    return bool(execute(_changed(owner, quotas)))


def _changed(owner: str, quotas: Mapping[str, int | None]) -> Update:
    return update(_OWNERS).where(_OWNERS.c.name == owner).values(**quotas).returning(_OWNERS.c.name)


def owner_exists(name: str) -> bool:
    """Whether there is an owner of this name: one is made with the first key."""
    with connect() as connection:
        return connection.execute(_OWNER, {"name": name}).one_or_none() is not None


def list_keys() -> Sequence[Row[Any]]:
    """Every key with its owner's quotas and use, and `state`: live, expired or revoked."""
    with connect() as connection:
        return connection.execute(_LIST).all()


def _token(id: str) -> str:
    return f"ferry_{id}_{secrets.token_urlsafe(32)}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


_KEYS = cast(Table, ApiKey.__table__)
_OWNERS = cast(Table, Owner.__table__)
_NOW = DatabaseTime()
_AHEAD = _NOW + bindparam("seconds", type_=Double())
_NOTED = 600.0
_MINE = _KEYS.c.id == bindparam("mine")
_LIVE = and_(_KEYS.c.revoked_at.is_(None), or_(_KEYS.c.expires_at.is_(None), _KEYS.c.expires_at > _NOW))
_QUOTAS = (_OWNERS.c.quota_bytes, _OWNERS.c.quota_files, _OWNERS.c.quota_uploads)

_FIND = (
    select(
        _KEYS.c.owner,
        _KEYS.c.scopes,
        _KEYS.c.digest,
        _KEYS.c.old_digest,
        _KEYS.c.uploads_at_once,
        (_KEYS.c.old_until > _NOW).label("old_is_live"),
        func.coalesce(_KEYS.c.used_at >= _NOW - _NOTED, false()).label("use_recorded"),
        *_QUOTAS,
    )
    .join(_OWNERS, _OWNERS.c.name == _KEYS.c.owner)
    .where(_MINE, _LIVE)
)
_ANY = select(exists().select_from(_KEYS))
_OWNER = select(_OWNERS.c.name).where(_OWNERS.c.name == bindparam("name")).with_for_update()
_MAKE_OWNER = insert(_OWNERS).values(used_bytes=0, used_files=0, created_at=_NOW)
_MAKE_FOR_EVER = insert(_KEYS).values(
    {name: bindparam(name) for name in ("id", "owner", "scopes", "digest", "uploads_at_once")} | {"created_at": _NOW}
)
_MAKE = _MAKE_FOR_EVER.values(expires_at=_AHEAD)
_CHANGE = update(_KEYS).where(_MINE, _LIVE).returning(_KEYS.c.id)
_ROTATE = _CHANGE.values(old_digest=_KEYS.c.digest, old_until=_AHEAD, digest=bindparam("new"))
_SET_BOUND = _CHANGE.values(uploads_at_once=bindparam("bound"))
_REVOKE = _CHANGE.values(revoked_at=_NOW)
_USED = update(_KEYS).where(_MINE).values(used_at=_NOW)
_STATE = case((_KEYS.c.revoked_at.is_not(None), "revoked"), (_LIVE, "live"), else_="expired").label("state")
_LIST = (
    select(_KEYS, _STATE, *_QUOTAS, _OWNERS.c.used_bytes, _OWNERS.c.used_files)
    .join(_OWNERS, _OWNERS.c.name == _KEYS.c.owner)
    .order_by(_KEYS.c.owner, _KEYS.c.created_at)
)
