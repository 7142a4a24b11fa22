"""The three ways to upload. They differ only in who calls `file.store`, and when."""

from __future__ import annotations

from models import File
from modes import async_, celery, normal

UPLOADS = {"normal": normal.upload, "async": async_.upload, "celery": celery.upload}
_DISPATCHERS = {"async": async_.dispatch, "celery": celery.dispatch}


def dispatch(row: File) -> None:
    """Have a waiting file stored by whom its mode says. In normal mode none waits."""
    _DISPATCHERS[row.mode](row)
