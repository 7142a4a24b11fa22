"""Owners: whom files belong to, how much they may have, and how much they have.

What a file counts for is added in the same transaction as the file's own move, so that the count is never off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import BigInteger, Connection, Double, Row, String, Table, bindparam, select, update
from sqlalchemy.orm import Mapped, mapped_column

from database.engine import Base, connect
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


RESERVATION_STEP = 64 << 20
"""Bytes that are reserved at a time for a file whose length nobody knows: all that there is would lock others out."""


@dataclass
class QuotaReservation:
    """So many bytes may come for an owner. `more`: they are counted as the owner's already, as one file, and it counts
    so many more, or raises."""

    owner: str
    size: int
    reserve_more: Callable[[int], None] | None = None

    def check(self, size: int) -> None:
        """Raises QuotaExceeded where `size` bytes have come, and are too many."""
        if size <= self.size:
            return
        owner = get_owner(self.owner)
        if self.reserve_more is None:
            raise _exceeded(owner)
        step = (
            allowed(owner.quota_bytes, owner.used_bytes, max(RESERVATION_STEP, size - self.size), all_or_nothing=False)
            or 0
        )
        if self.size + step < size:
            raise _exceeded(owner, self.size, 1)
        self.reserve_more(step)
        self.size += step


def remaining(name: str) -> QuotaReservation | None:
    """How much more the owner may send; None where there is no end. Nothing is reserved. Raises QuotaExceeded."""
    owner = get_owner(name)
    if allowed(owner.quota_files, owner.used_files, 1, all_or_nothing=True) is None:
        raise _exceeded(owner)
    return None if owner.quota_bytes is None else QuotaReservation(name, max(owner.quota_bytes - owner.used_bytes, 0))


def allowed(quota: int | None, used: int, more: int, *, all_or_nothing: bool) -> int | None:
    """How much of `more` fits beside `used`. None: less than all of it, where the `whole` has to fit.

    What is given back always fits.
    """
    room = more if quota is None else max(quota - used, 0)
    if more <= room:
        return more
    return None if all_or_nothing else room


def adjust(connection: Connection, name: str, size: int, files: int, *, all_or_nothing: bool = True) -> int:
    """Count `size` bytes and `files` files more as the owner's, or fewer; returns the bytes that were counted.

    They are less than `size` where only so many fit, and it needs not be the whole. The owner's row is locked until
    the transaction ends: two uploads can't have the same room. Raises QuotaExceeded.
    """
    owner = connection.execute(_LOCKED, {"owner": name}).one()
    fits = allowed(owner.quota_bytes, owner.used_bytes, size, all_or_nothing=all_or_nothing)
    if fits is None or allowed(owner.quota_files, owner.used_files, files, all_or_nothing=True) is None:
        raise _exceeded(owner)
    connection.execute(_ADD, {"owner": name, "size": fits, "files": files})
    return fits


def get_owner(name: str) -> Row[Any]:
    with connect() as connection:
        return connection.execute(_FIND, {"owner": name}).one()


def _exceeded(owner: Row[Any], size: int = 0, files: int = 0) -> QuotaExceeded:
    """The numbers as they are without the file that does not fit, which counts for `size` and `files` already."""
    return QuotaExceeded(
        quota_bytes=owner.quota_bytes,
        used_bytes=owner.used_bytes - size,
        quota_files=owner.quota_files,
        used_files=owner.used_files - files,
    )


_OWNERS = cast(Table, Owner.__table__)
_MINE = _OWNERS.c.name == bindparam("owner")
_FIND = select(_OWNERS).where(_MINE)
_LOCKED = _FIND.with_for_update()
_ADD = (
    update(_OWNERS)
    .where(_MINE)
    .values(used_bytes=_OWNERS.c.used_bytes + bindparam("size"), used_files=_OWNERS.c.used_files + bindparam("files"))
)
