"""When a PENDING file is dispatched next. None of these changes its status."""

from __future__ import annotations

from sqlalchemy import BindParameter, Double, bindparam, case

from database.engine import execute
from lifecycle.transitions.fencing import NOW_PLUS_DELAY, UPDATE_IF_CURRENT, apply
from models import DUE, FILES, NOT_DELETED, NOW, FileRow, UploadStatus


def mark_dispatched(row: FileRow, min_delay: float) -> FileRow | None:
    """Record that the caller dispatches a due file. None: it is not due, or another process dispatches it.

    An unclaimed file is due again after `min_delay` seconds, then after twice that, up to an hour: the Celery queue may
    be long, and must not contain each file many times.
    """
    return apply(row, _MARK_DISPATCHED, {}, min_delay=min_delay)


def defer(row: FileRow, delay: float) -> FileRow | None:
    """Make a file that could not be dispatched due in `delay` seconds. None: it has been claimed."""
    return apply(row, _DEFER, {}, delay=delay)


def make_due(min_age: float) -> int:
    """Make every file of mode `celery` due that was accepted `min_age` or more seconds ago. Returns their number.

    A file that waits for its next attempt keeps its delay; files that are due already are not counted.
    """
    return len(execute(_MAKE_DUE, {"min_age": min_age}))


# Statements are built once: building one takes longer than running it.
_HOUR = 3600.0
_WAITED = NOW - FILES.c.updated_at
_MIN_DELAY: BindParameter[float] = bindparam("min_delay", type_=Double())
# `updated_at` stays, and so the delay doubles: it is the time that the file has waited so far.
_MARK_DISPATCHED = UPDATE_IF_CURRENT.where(DUE).values(
    due_at=NOW + case((_WAITED > _HOUR, _HOUR), (_WAITED > _MIN_DELAY, _WAITED), else_=_MIN_DELAY)
)
_DEFER = UPDATE_IF_CURRENT.where(FILES.c.upload_status == UploadStatus.PENDING).values(due_at=NOW_PLUS_DELAY)
_MAKE_DUE = (
    FILES.update()
    .where(
        FILES.c.upload_status == UploadStatus.PENDING,
        FILES.c.mode == "celery",
        FILES.c.error.is_(None),
        FILES.c.due_at > NOW,
        FILES.c.updated_at < NOW - bindparam("min_age", type_=Double()),
        NOT_DELETED,
    )
    .values(due_at=NOW)
    .returning(FILES.c.id)
)
