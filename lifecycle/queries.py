"""Read queries over files. Only `deleted` and `get_many` return deleted files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, and_, bindparam, case, func, or_, select

from database.engine import connect
from models import (
    ABANDONED,
    DUE,
    FAILED_WITHOUT_BYTES,
    FILES,
    LEASE_EXPIRED,
    NOT_DELETED,
    NOW,
    FileRow,
    UploadStatus,
)

MAX_COUNTED = 1000
"""Files that `waiting_for_workers` counts at most: /readyz is asked often."""


def get(id: str) -> FileRow | None:
    """The file with this id, unless it is deleted."""
    return next(iter(_read(_BY_ID, id=id)), None)


def get_owned(owner: str | None, id: str) -> FileRow | None:
    """The file with this id, if it belongs to `owner` (None: to an anonymous client)."""
    rows = _read(_BY_ID_ANONYMOUS, id=id) if owner is None else _read(_BY_ID_AND_OWNER, id=id, owner=owner)
    return next(iter(rows), None)


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
) -> Sequence[FileRow]:
    """At most `limit` files of an owner after the id `after`, in order of creation, which is that of UUIDv7 ids.

    `prefix`: of their names. Times are seconds since the epoch, exclusive.
    """
    id, created_at = FILES.c.id, FILES.c.created_at
    query = select(FILES).where(_belongs_to(owner), NOT_DELETED)
    for value, condition in (
        (after, id.__lt__ if newest_first else id.__gt__),
        (status, FILES.c.upload_status.__eq__),
        (mode, FILES.c.mode.__eq__),
        (prefix, lambda text: _name_starts_with(str(text))),
        (created_after, created_at.__gt__),
        (created_before, created_at.__lt__),
    ):
        if value is not None:
            query = query.where(condition(value))
    return _read(query.order_by(id.desc() if newest_first else id).limit(limit))


def abandoned(limit: int) -> Sequence[FileRow]:
    """Files in PROCESSING whose lease expired, oldest first."""
    return _read(_ABANDONED, limit=limit)


def due(spool_id: str, limit: int) -> Sequence[FileRow]:
    """PENDING files of a spool that may be dispatched, longest due first."""
    return _read(_DUE, spool_id=spool_id, limit=limit)


def waiting_for_workers(min_wait: float, max_retry_delay: float) -> tuple[int, float]:
    """The number of `celery` files that have waited more than `min_wait` seconds for a worker, and the longest wait.

    `max_retry_delay`: most seconds before a retry, which do not count as waiting. Counts MAX_COUNTED files at most.
    """
    with connect() as connection:
        count, seconds = connection.execute(_WAITING, {"min_wait": min_wait, "max_retry_delay": max_retry_delay}).one()
    return int(count), float(seconds or 0)


def expired(limit: int) -> Sequence[FileRow]:
    """Files past `expires_at` that are not deleted yet."""
    return _read(_EXPIRED, limit=limit)


def failed(limit: int, retention: float, spool_retention: float) -> Sequence[FileRow]:
    """Files that ended as ERROR more than `retention` seconds ago, oldest first.

    Spooled files are returned after the longer of `retention` and `spool_retention`.
    """
    return _read(_FAILED, limit=limit, retention=retention, spool_retention=max(retention, spool_retention))


def failed_over_limit(limit: int, spool_retention: float) -> Sequence[str | None]:
    """Owners of more than `limit` files in ERROR without bytes; None stands for all files without an owner.

    The spool keeps the bytes of such a file for `spool_retention` seconds.
    """
    with connect() as connection:
        values = {"limit": limit, "retention": spool_retention}
        return connection.execute(_FAILED_OVER_LIMIT, values).scalars().all()


def deleted(spool_id: str, limit: int, grace: float) -> Sequence[FileRow]:
    """Deleted files that are due and that no attempt holds, longest deleted first.

    Files whose bytes are in another spool are left to its host for `grace` seconds.
    """
    return _read(_DELETED, spool_id=spool_id, limit=limit, grace=grace)


def get_many(ids: Sequence[str]) -> dict[str, FileRow]:
    """The files with these ids by id, deleted ones included; unknown ids are left out."""
    return {row.id: row for row in _read(select(FILES).where(FILES.c.id.in_(ids)))}


def with_prefix(owner: str | None, prefix: str, limit: int) -> Sequence[FileRow]:
    """An owner's files whose names start with `prefix`, oldest first, without those in ERROR."""
    not_failed = and_(NOT_DELETED, FILES.c.upload_status != UploadStatus.ERROR)
    query = select(FILES).where(_belongs_to(owner), not_failed, _name_starts_with(prefix))
    return _read(query.order_by(FILES.c.id).limit(limit))


def recently_ended(seconds: float, limit: int) -> Sequence[FileRow]:
    """Files that ended in the last `seconds` and may have left a multipart upload behind, latest first."""
    return _read(_RECENTLY_ENDED, seconds=seconds, limit=limit)


def completed_between(after: str, to: str, limit: int) -> Sequence[FileRow]:
    """COMPLETE files with `after` < id <= `to`, in order of their ids."""
    return _read(_COMPLETED_BETWEEN, after=after, to=to, limit=limit)


# Statements are built once: building one takes longer than running it.
_BY_ID = select(FILES).where(FILES.c.id == bindparam("id"), NOT_DELETED)
_BY_ID_AND_OWNER = _BY_ID.where(FILES.c.owner == bindparam("owner"))
_BY_ID_ANONYMOUS = _BY_ID.where(FILES.c.owner.is_(None))
_ABANDONED = select(FILES).where(ABANDONED).order_by(FILES.c.id).limit(bindparam("limit"))
_DUE = (
    select(FILES)
    .where(DUE, or_(FILES.c.spool == bindparam("spool_id"), FILES.c.spool.is_(None)))
    .order_by(FILES.c.due_at)
    .limit(bindparam("limit"))
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
    .limit(bindparam("limit"))
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
    .limit(bindparam("limit"))
)
_WAITING_SINCE = FILES.c.updated_at + case(
    (FILES.c.error.is_not(None), bindparam("max_retry_delay", type_=Double())), else_=0.0
)
_LONG_WAITING = (
    select(_WAITING_SINCE.label("since"))
    .where(
        FILES.c.upload_status == UploadStatus.PENDING,
        FILES.c.mode == "celery",
        NOT_DELETED,
        NOW - bindparam("min_wait", type_=Double()) > _WAITING_SINCE,
    )
    .order_by(FILES.c.id)
    .limit(MAX_COUNTED)
    .subquery()
)
_WAITING = select(func.count(), NOW - func.min(_LONG_WAITING.c.since)).select_from(_LONG_WAITING)
_EXPIRED = (
    select(FILES).where(FILES.c.expires_at < NOW, NOT_DELETED).order_by(FILES.c.expires_at).limit(bindparam("limit"))
)
_RETENTION = case(
    (FILES.c.spool.is_(None), bindparam("retention", type_=Double())),
    else_=bindparam("spool_retention", type_=Double()),
)
_FAILED = (
    select(FILES)
    .where(
        FILES.c.upload_status == UploadStatus.ERROR,
        NOT_DELETED,
        FILES.c.updated_at < NOW - _RETENTION,
    )
    .order_by(FILES.c.id)
    .limit(bindparam("limit"))
)
_FAILED_OVER_LIMIT = (
    select(FILES.c.owner).where(FAILED_WITHOUT_BYTES).group_by(FILES.c.owner).having(func.count() > bindparam("limit"))
)
_DELETED = (
    select(FILES)
    .where(
        FILES.c.deleted_at.is_not(None),
        or_(FILES.c.due_at.is_(None), FILES.c.due_at <= NOW),
        or_(FILES.c.upload_status != UploadStatus.PROCESSING, LEASE_EXPIRED),
        or_(
            FILES.c.spool.is_(None),
            FILES.c.spool == bindparam("spool_id"),
            FILES.c.deleted_at < NOW - bindparam("grace", type_=Double()),
        ),
    )
    .order_by(FILES.c.deleted_at)
    .limit(bindparam("limit"))
)


def _belongs_to(owner: str | None) -> ColumnElement[bool]:
    return FILES.c.owner.is_(None) if owner is None else FILES.c.owner == owner


def _name_starts_with(prefix: str) -> ColumnElement[bool]:
    """Case-sensitive, which LIKE is not on SQLite."""
    return func.substr(FILES.c.name, 1, len(prefix)) == prefix


def _read(query: Select[Any], **values: Any) -> Sequence[FileRow]:
    with connect() as connection:
        return [FileRow._make(row) for row in connection.execute(query, values)]
