"""Owners of files, their quotas and their usage.

A file's usage is changed in the transaction that changes the file's status, so that the two never differ.
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
    """An owner of files. A quota that is None is unlimited; `used_…` do not include files in ERROR."""

    __tablename__ = "owners"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    quota_files: Mapped[int | None] = mapped_column(BigInteger)
    quota_uploads: Mapped[int | None]
    used_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    used_files: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[float] = mapped_column(Double)


RESERVATION_STEP = 64 << 20
"""Bytes reserved at a time for a file of unknown length: reserving the whole quota would block other uploads."""


@dataclass
class QuotaAllowance:
    """Bytes that one upload may still take.

    With `reserve_more` they are reserved, as one file, and grow by steps; without, they are a snapshot.
    """

    owner: str
    size: int
    reserve_more: Callable[[int], None] | None = None
    """Reserves further bytes, or raises QuotaExceeded."""

    def check(self, size: int) -> None:
        """Raises QuotaExceeded if `size` received bytes exceed the quota."""
        if size <= self.size:
            return
        owner = get_owner(self.owner)
        if self.reserve_more is None:
            raise _exceeded(owner)
        wanted = max(RESERVATION_STEP, size - self.size)
        step = allowed(owner.quota_bytes, owner.used_bytes, wanted, all_or_nothing=False) or 0
        if self.size + step < size:
            raise _exceeded(owner, self.size, 1)
        self.reserve_more(step)
        self.size += step


def unreserved_allowance(name: str) -> QuotaAllowance | None:
    """How many bytes the owner may still upload; None if unlimited. Reserves nothing.

    Raises QuotaExceeded if the owner has as many files as the quota allows.
    """
    owner = get_owner(name)
    if allowed(owner.quota_files, owner.used_files, 1, all_or_nothing=True) is None:
        raise _exceeded(owner)
    return None if owner.quota_bytes is None else QuotaAllowance(name, max(owner.quota_bytes - owner.used_bytes, 0))


def allowed(quota: int | None, used: int, requested: int, *, all_or_nothing: bool) -> int | None:
    """How much of `requested` fits into the quota. None if not all of it does and it is `all_or_nothing`.

    A negative amount, which is released, always fits.
    """
    left = requested if quota is None else max(quota - used, 0)
    if requested <= left:
        return requested
    return None if all_or_nothing else left


def adjust(connection: Connection, name: str, size: int, files: int, *, all_or_nothing: bool = True) -> int:
    """Add `size` bytes and `files` files, or subtract negative ones, and return the bytes that were added.

    Those are fewer than `size` if only so many fit and it is not `all_or_nothing`. Locks the owner's row until the
    transaction ends, so that concurrent uploads can't use the same space. Raises QuotaExceeded.
    """
    owner = connection.execute(_SELECT_FOR_UPDATE, {"owner": name}).one()
    fits = allowed(owner.quota_bytes, owner.used_bytes, size, all_or_nothing=all_or_nothing)
    if fits is None or allowed(owner.quota_files, owner.used_files, files, all_or_nothing=True) is None:
        raise _exceeded(owner)
    connection.execute(_ADD, {"owner": name, "size": fits, "files": files})
    return fits


def get_owner(name: str) -> Row[Any]:
    """The row of an existing owner."""
    with connect() as connection:
        return connection.execute(_SELECT, {"owner": name}).one()


def _exceeded(owner: Row[Any], size: int = 0, files: int = 0) -> QuotaExceeded:
    """The error with the owner's usage, less the `size` and `files` reserved for the rejected upload itself."""
    return QuotaExceeded(
        quota_bytes=owner.quota_bytes,
        used_bytes=owner.used_bytes - size,
        quota_files=owner.quota_files,
        used_files=owner.used_files - files,
    )


_OWNERS = cast(Table, Owner.__table__)
_BY_NAME = _OWNERS.c.name == bindparam("owner")
_SELECT = select(_OWNERS).where(_BY_NAME)
_SELECT_FOR_UPDATE = _SELECT.with_for_update()
_ADD = (
    update(_OWNERS)
    .where(_BY_NAME)
    .values(used_bytes=_OWNERS.c.used_bytes + bindparam("size"), used_files=_OWNERS.c.used_files + bindparam("files"))
)
