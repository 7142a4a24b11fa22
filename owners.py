"""Owners: whom files belong to, how much they may have, and how much they have.

What a file counts for is added in the same transaction as the file's own move, so that the count is never off.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import BigInteger, Connection, Double, String, Table, bindparam, select, update
from sqlalchemy.orm import Mapped, mapped_column

from database import Base
from problems import QuotaExceeded


class Owner(Base):
    """Somebody whom files belong to. A quota that is None has no end; `used_…` leaves out files in ERROR."""

    __tablename__ = "owners"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    quota_files: Mapped[int | None] = mapped_column(BigInteger)
    quota_uploads: Mapped[int | None]
    used_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    used_files: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[float] = mapped_column(Double)


def fitting(quota: int | None, used: int, more: int, *, whole: bool) -> int | None:
    """How much of `more` fits beside `used`. None: nothing, or less than all where the `whole` has to.

    What is given back always fits.
    """
    room = more if quota is None else max(quota - used, 0)
    if more <= room:
        return more
    return None if whole or room == 0 else room


def add(connection: Connection, name: str, size: int, files: int, *, whole: bool = True) -> int:
    """Count `size` bytes and `files` files more as the owner's, or fewer; returns the bytes that were counted.

    They are less than `size` where only so many fit, and it needs not be the whole. The owner's row is locked until
    the transaction ends: two uploads can't have the same room. Raises QuotaExceeded.
    """
    owner = connection.execute(_LOCKED, {"owner": name}).one()
    fits = fitting(owner.quota_bytes, owner.used_bytes, size, whole=whole)
    if fits is None or fitting(owner.quota_files, owner.used_files, files, whole=True) is None:
        raise exceeded(owner.quota_bytes, owner.used_bytes, owner.quota_files, owner.used_files)
    connection.execute(_ADD, {"owner": name, "size": fits, "files": files})
    return fits


def exceeded(quota_bytes: int | None, used_bytes: int, quota_files: int | None, used_files: int) -> QuotaExceeded:
    """The problem, with its numbers."""
    return QuotaExceeded(quota_bytes=quota_bytes, used_bytes=used_bytes, quota_files=quota_files, used_files=used_files)


_OWNERS = cast(Table, Owner.__table__)
_MINE = _OWNERS.c.name == bindparam("owner")
_LOCKED = select(_OWNERS).where(_MINE).with_for_update()
_ADD = (
    update(_OWNERS)
    .where(_MINE)
    .values(used_bytes=_OWNERS.c.used_bytes + bindparam("size"), used_files=_OWNERS.c.used_files + bindparam("files"))
)
