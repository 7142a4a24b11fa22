"""Lookups: the files that somebody asks for, as the database has them.

Only `deleted` and `among` find what is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, and_, bindparam, case, func, or_, select

from database.engine import connect
from models import (
    ABANDONED,
    DUE,
    FAILED_FOR_GOOD,
    FILES,
    LEASE_EXPIRED,
    NOT_DELETED,
    NOW,
    File,
    UploadStatus,
    file_from_row,
)


def get(id: str) -> File | None:
    """The file with this id, unless it is deleted."""
    return next(iter(_read(_BY_ID, id=id)), None)


def get_owned(owner: str | None, id: str) -> File | None:
    """The file with this id, if it belongs to this owner."""
    found = _read(_BY_ID_ANONYMOUS, id=id) if owner is None else _read(_BY_ID_AND_OWNER, id=id, owner=owner)
    return next(iter(found), None)


def page(
    owner: str | None,
    limit: int,
    after: str | None = None,
    *,
    newest_first: bool = True,
    status: UploadStatus | None = None,
    mode: str | None = None,
    prefix: str | None = None,
    created_after: float | None = None,
    created_before: float | None = None,
) -> Sequence[File]:
    """At most `limit` files of an owner, in the order they were made in, from the id `after` on: UUIDv7 sort so.

    `prefix` is how their names start; times are seconds since the epoch, and are not included.
    """
    id, made = FILES.c.id, FILES.c.created_at
    query = select(FILES).where(_belongs_to(owner), NOT_DELETED)
    for value, condition in (
        (after, id.__lt__ if newest_first else id.__gt__),
        (status, FILES.c.upload_status.__eq__),
        (mode, FILES.c.mode.__eq__),
        (prefix, lambda start: _starts_with(str(start))),
        (created_after, made.__gt__),
        (created_before, made.__lt__),
    ):
        if value is not None:
            query = query.where(condition(value))
    return _read(query.order_by(id.desc() if newest_first else id).limit(limit))


def abandoned(limit: int) -> Sequence[File]:
    """Files whose holder's lease ran out, oldest first."""
    return _read(_ABANDONED, most=limit)


def due(spool: str, limit: int) -> Sequence[File]:
    """Waiting files of a spool that may be handed out, longest due first."""
    return _read(_DUE, spool=spool, most=limit)


def waiting_for_workers(least: float, pause: float) -> tuple[int, float]:
    """How many files of mode `celery` have waited for a worker for more than `least` seconds, and the longest wait.

    `pause`: seconds that a file may rest after a failed attempt; they do not count. No more than 1000 files do.
    """
    with connect() as connection:
        count, seconds = connection.execute(_WAITING, {"least": least, "pause": pause}).one()
    return int(count), float(seconds or 0)


def expired(limit: int) -> Sequence[File]:
    """Files whose time is over, and that are not deleted yet."""
    return _read(_EXPIRED, most=limit)


def failed(limit: int, seconds: float, kept: float) -> Sequence[File]:
    """Files that ended as ERROR more than `seconds` ago, oldest first; those with bytes in a spool `kept` at least."""
    return _read(_FAILED, most=limit, seconds=seconds, kept=max(seconds, kept))


def failed_over_limit(most: int, kept: float) -> Sequence[str | None]:
    """Owners of more than `most` files in ERROR whose bytes are not kept; None: those of no owner, as one.

    A spool keeps bytes for `kept` seconds.
    """
    with connect() as connection:
        return connection.execute(_FAILED_OVER_LIMIT, {"most": most, "kept": kept}).scalars().all()


def deleted(spool: str, limit: int, grace: float) -> Sequence[File]:
    """Deleted files that nobody can be at work on any more and that are due, longest deleted first.

    Those whose bytes may be in another spool are left to its host, for `grace` seconds.
    """
    return _read(_DELETED, spool=spool, most=limit, grace=grace)


def get_many(ids: Sequence[str]) -> dict[str, File]:
    """Those of the files `ids` that have a row, deleted or not."""
    return {row.id: row for row in _read(select(FILES).where(FILES.c.id.in_(ids)))}


def with_prefix(owner: str | None, start: str, limit: int) -> Sequence[File]:
    """An owner's files whose names start so, oldest first, but for those that ended as ERROR."""
    there = and_(NOT_DELETED, FILES.c.upload_status != UploadStatus.ERROR)
    query = select(FILES).where(_belongs_to(owner), there, _starts_with(start))
    return _read(query.order_by(FILES.c.id).limit(limit))


def recently_ended(seconds: float, limit: int) -> Sequence[File]:
    """Files that ended in the last `seconds` and may have left an upload in parts, the latest first."""
    return _read(_RECENTLY_ENDED, seconds=seconds, most=limit)


def completed_between(after: str, to: str, limit: int) -> Sequence[File]:
    """COMPLETE files with `after` < id <= `to`, in the order of their ids."""
    return _read(_COMPLETED_BETWEEN, after=after, to=to, most=limit)


# Statements are built once: building one takes longer than running it.
_BY_ID = select(FILES).where(FILES.c.id == bindparam("id"), NOT_DELETED)
_BY_ID_AND_OWNER = _BY_ID.where(FILES.c.owner == bindparam("owner"))
_BY_ID_ANONYMOUS = _BY_ID.where(FILES.c.owner.is_(None))
_ABANDONED = select(FILES).where(ABANDONED).order_by(FILES.c.id).limit(bindparam("most"))
_DUE = (
    select(FILES)
    .where(DUE, or_(FILES.c.spool == bindparam("spool"), FILES.c.spool.is_(None)))
    .order_by(FILES.c.due_at)
    .limit(bindparam("most"))
)
_COMPLETED_BETWEEN = (
    select(FILES)
    .where(
        FILES.c.upload_status == UploadStatus.COMPLETE,
        NOT_DELETED,
        FILES.c.id > bindparam("after"),
        FILES.c.id <= bindparam("to"),
    )
    .order_by(FILES.c.id)
    .limit(bindparam("most"))
)
_RECENTLY_ENDED = (
    select(FILES)
    .where(
        or_(
            FILES.c.upload_status == UploadStatus.ERROR,
            and_(FILES.c.upload_status == UploadStatus.COMPLETE, FILES.c.attempt > 1),
        ),
        NOT_DELETED,
        FILES.c.updated_at > NOW - bindparam("seconds", type_=Double()),
    )
    .order_by(FILES.c.updated_at.desc())
    .limit(bindparam("most"))
)
_WAITING_SINCE = FILES.c.updated_at + case((FILES.c.error.is_not(None), bindparam("pause", type_=Double())), else_=0.0)
_LONG_WAITING = (
    select(_WAITING_SINCE.label("since"))
    .where(
        FILES.c.upload_status == UploadStatus.PENDING,
        FILES.c.mode == "celery",
        NOT_DELETED,
        NOW - bindparam("least", type_=Double()) > _WAITING_SINCE,
    )
    .order_by(FILES.c.id)
    .limit(1000)
    .subquery()
)
_WAITING = select(func.count(), NOW - func.min(_LONG_WAITING.c.since)).select_from(_LONG_WAITING)
_EXPIRED = (
    select(FILES).where(FILES.c.expires_at < NOW, NOT_DELETED).order_by(FILES.c.expires_at).limit(bindparam("most"))
)
_STAYS = case((FILES.c.spool.is_(None), bindparam("seconds", type_=Double())), else_=bindparam("kept", type_=Double()))
_FAILED = (
    select(FILES)
    .where(
        FILES.c.upload_status == UploadStatus.ERROR,
        NOT_DELETED,
        FILES.c.updated_at < NOW - _STAYS,
    )
    .order_by(FILES.c.id)
    .limit(bindparam("most"))
)
_FAILED_OVER_LIMIT = (
    select(FILES.c.owner).where(FAILED_FOR_GOOD).group_by(FILES.c.owner).having(func.count() > bindparam("most"))
)
_DELETED = (
    select(FILES)
    .where(
        FILES.c.deleted_at.is_not(None),
        or_(FILES.c.due_at.is_(None), FILES.c.due_at <= NOW),
        or_(FILES.c.upload_status != UploadStatus.PROCESSING, LEASE_EXPIRED),
        or_(
            FILES.c.spool.is_(None),
            FILES.c.spool == bindparam("spool"),
            FILES.c.deleted_at < NOW - bindparam("grace", type_=Double()),
        ),
    )
    .order_by(FILES.c.deleted_at)
    .limit(bindparam("most"))
)


def _belongs_to(owner: str | None) -> ColumnElement[bool]:
    return FILES.c.owner.is_(None) if owner is None else FILES.c.owner == owner


def _starts_with(start: str) -> ColumnElement[bool]:
    """Of a name. LIKE would not tell capitals apart on SQLite."""
    return func.substr(FILES.c.name, 1, len(start)) == start


def _read(query: Select[Any], **values: Any) -> Sequence[File]:
    with connect() as connection:
        return [file_from_row(row) for row in connection.execute(query, values)]
