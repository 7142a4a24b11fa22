"""API keys: scopes, owner and token. Only a SHA-256 of a token is stored: its 256 random bits need no slow hash."""

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

from content.redaction import UNPREFIXED_KEY
from database.engine import Base, DatabaseTime, connect, execute, transaction
from quotas.storage_quota import Owner

SCOPES = ("upload", "read", "delete")


class ApiKey(Base):
    """A key of an owner. Rows are never deleted: once a key has existed, anonymous clients are refused."""

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
    max_transfers: Mapped[int | None] = mapped_column("uploads_at_once")
    created_at: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True)
class LiveApiKey:
    """A live key: neither expired nor revoked when it was read."""

    id: str
    owner: str
    scopes: frozenset[str]
    digests: tuple[str, ...]
    """SHA-256 of the token and, for a while after a rotation, of the one before."""
    quota_bytes: int | None
    quota_files: int | None
    max_uploads_per_host: int | None
    """Concurrent uploads of the owner's keys on one host: the column `quota_uploads`."""
    max_transfers: int | None
    """This key's concurrent transfers in a web process; None: the owner's keys share MAX_TRANSFERS_PER_CLIENT."""
    use_recorded: bool
    """Whether `used_at` was less than ten minutes old."""

    def verify(self, token: str) -> bool:
        """Whether `token` belongs to this key. Takes constant time, whichever digest matches."""
        matches = [hmac.compare_digest(_digest(token), digest) for digest in self.digests]
        return any(matches)


def key_id_in_token(token: str) -> str | None:
    """The id of the key in a token of the form `ferry_<id>_<secret>`; None for any other text."""
    match = re.fullmatch(f"ferry_{UNPREFIXED_KEY}", token)
    return match and match[1]


def get_live(id: str) -> LiveApiKey | None:
    """The key with this id unless it is expired, by the database's clock, or revoked."""
    with connect() as connection:
        row = connection.execute(_SELECT_LIVE, {"key_id": id}).one_or_none()
    if row is None:
        return None
    digests = (row.digest, row.old_digest) if row.old_is_live else (row.digest,)
    quotas = (row.quota_bytes, row.quota_files, row.quota_uploads)
    scopes = frozenset(row.scopes.split(","))
    return LiveApiKey(id, row.owner, scopes, digests, *quotas, row.uploads_at_once, row.use_recorded)


def record_use(id: str) -> None:
    """Set the key's `used_at`, which `flask keys list` shows."""
    execute(_RECORD_USE, {"key_id": id})


def any_exists() -> bool:
    """Whether a key was ever created, revoked and expired ones included."""
    with connect() as connection:
        return bool(connection.execute(_ANY_EXISTS).scalar_one())


def create(
    owner: str,
    scopes: Sequence[str],
    ttl: float | None,
    *,
    max_transfers: int | None = None,
    **quotas: int | None,
) -> str:
    """Create a key, and its owner if there is none of this name, and return the token.

    `ttl`: seconds until the key expires; None: never. `quotas` are set for the owner, as by `set_quotas`.

        token = create("alice", ["upload", "read"], 90 * 86400, quota_bytes=20 << 30)
    """
    id = secrets.token_hex(6)
    token = _new_token(id)
    values = {
        "id": id,
        "owner": owner,
        "scopes": ",".join(scopes),
        "digest": _digest(token),
        "ttl": ttl,
        "uploads_at_once": max_transfers,
    }

    def work(connection: Connection) -> None:
        if connection.execute(_SELECT_OWNER, {"name": owner}).one_or_none() is None:
            connection.execute(_INSERT_OWNER, {"name": owner})
        connection.execute(_INSERT if ttl is None else _INSERT_WITH_EXPIRY, values)
        if quotas:
            connection.execute(_update_quotas(owner, quotas))

    transaction(work)
    return token


def rotate(id: str, overlap: float) -> str | None:
    """Replace a key's token and return the new one; the old one is accepted for `overlap` seconds more.

    Returns None if there is no live key with this id.
    """
    token = _new_token(id)
    return token if execute(_ROTATE, {"key_id": id, "new_digest": _digest(token), "ttl": overlap}) else None


def revoke(id: str) -> bool:
    """Revoke a key. False if there is no live key with this id."""
    return bool(execute(_REVOKE, {"key_id": id}))


def set_transfer_limit(id: str, max_transfers: int | None) -> bool:
    """Set or, with None, remove a key's own limit of concurrent transfers. False if there is no live key of this id."""
    return bool(execute(_SET_TRANSFER_LIMIT, {"key_id": id, "limit": max_transfers}))


def set_quotas(owner: str, **quotas: int | None) -> bool:
    """Set any of the owner's `quota_bytes`, `quota_files` and `quota_uploads`. False if there is no such owner."""
    return bool(execute(_update_quotas(owner, quotas)))


def _update_quotas(owner: str, quotas: Mapping[str, int | None]) -> Update:
    return update(_OWNERS).where(_OWNERS.c.name == owner).values(**quotas).returning(_OWNERS.c.name)


def owner_exists(name: str) -> bool:
    """Whether there is an owner of this name. Owners are created with their first key."""
    with connect() as connection:
        return connection.execute(_SELECT_OWNER, {"name": name}).one_or_none() is not None


def list_keys() -> Sequence[Row[Any]]:
    """Every key with its owner's quotas and usage, and its `state`: live, expired or revoked."""
    with connect() as connection:
        return connection.execute(_LIST).all()


def _new_token(id: str) -> str:
    return f"ferry_{id}_{secrets.token_urlsafe(32)}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


_KEYS = cast(Table, ApiKey.__table__)
_OWNERS = cast(Table, Owner.__table__)
_NOW = DatabaseTime()
_NOW_PLUS_TTL = _NOW + bindparam("ttl", type_=Double())
_USE_RECORDED_SECONDS = 600.0
_BY_ID = _KEYS.c.id == bindparam("key_id")
_LIVE = and_(_KEYS.c.revoked_at.is_(None), or_(_KEYS.c.expires_at.is_(None), _KEYS.c.expires_at > _NOW))
_QUOTAS = (_OWNERS.c.quota_bytes, _OWNERS.c.quota_files, _OWNERS.c.quota_uploads)

_SELECT_LIVE = (
    select(
        _KEYS.c.owner,
        _KEYS.c.scopes,
        _KEYS.c.digest,
        _KEYS.c.old_digest,
        _KEYS.c.uploads_at_once,
        (_KEYS.c.old_until > _NOW).label("old_is_live"),
        func.coalesce(_KEYS.c.used_at >= _NOW - _USE_RECORDED_SECONDS, false()).label("use_recorded"),
        *_QUOTAS,
    )
    .join(_OWNERS, _OWNERS.c.name == _KEYS.c.owner)
    .where(_BY_ID, _LIVE)
)
_ANY_EXISTS = select(exists().select_from(_KEYS))
_SELECT_OWNER = select(_OWNERS.c.name).where(_OWNERS.c.name == bindparam("name")).with_for_update()
_INSERT_OWNER = insert(_OWNERS).values(used_bytes=0, used_files=0, created_at=_NOW)
_INSERT = insert(_KEYS).values(
    {name: bindparam(name) for name in ("id", "owner", "scopes", "digest", "uploads_at_once")} | {"created_at": _NOW}
)
_INSERT_WITH_EXPIRY = _INSERT.values(expires_at=_NOW_PLUS_TTL)
_UPDATE_LIVE = update(_KEYS).where(_BY_ID, _LIVE).returning(_KEYS.c.id)
_ROTATE = _UPDATE_LIVE.values(old_digest=_KEYS.c.digest, old_until=_NOW_PLUS_TTL, digest=bindparam("new_digest"))
_SET_TRANSFER_LIMIT = _UPDATE_LIVE.values(uploads_at_once=bindparam("limit"))
_REVOKE = _UPDATE_LIVE.values(revoked_at=_NOW)
_RECORD_USE = update(_KEYS).where(_BY_ID).values(used_at=_NOW)
_STATE = case((_KEYS.c.revoked_at.is_not(None), "revoked"), (_LIVE, "live"), else_="expired").label("state")
_LIST = (
    select(_KEYS, _STATE, *_QUOTAS, _OWNERS.c.used_bytes, _OWNERS.c.used_files)
    .join(_OWNERS, _OWNERS.c.name == _KEYS.c.owner)
    .order_by(_KEYS.c.owner, _KEYS.c.created_at)
)
