"""The three upload modes. They differ in who calls `file.store`, and when."""

from __future__ import annotations

from models import File
from modes import async_, celery_, normal

UPLOADS = {"normal": normal.upload, "async": async_.upload, "celery": celery_.upload}
_DISPATCH = {"async": async_.dispatch, "celery": celery_.dispatch}


def dispatch(row: File) -> bool:
    """Have a PENDING file stored by a thread or a task, as its mode says. Mode `normal` has no PENDING files.

    Returns False if the pool of the mode is full or has the file already.
    """
    return _DISPATCH[row.mode](row)
