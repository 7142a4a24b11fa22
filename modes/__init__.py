"""The three upload modes. They differ in who calls `file.store`, and when."""

from __future__ import annotations

from file import Mode
from lifecycle.upload_source import Accept
from models import FileRow
from modes import async_, celery_, normal

ACCEPT: dict[Mode, Accept] = {"normal": normal.accept, "async": async_.accept, "celery": celery_.accept}
_DISPATCH = {"async": async_.dispatch, "celery": celery_.dispatch}


def dispatch(row: FileRow) -> bool:
    """Have a PENDING file stored by a thread or a task, as its mode says. Mode `normal` has no PENDING files.

    Returns False if the pool of the mode is full or has the file already.
    """
    return _DISPATCH[row.mode](row)
