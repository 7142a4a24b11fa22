"""Mode `async`: the bytes are spooled, the client gets its response, and a thread stores the file."""

from __future__ import annotations

from functools import partial

import file
from lifecycle.upload_source import UploadSource
from models import FileRow, NewFile
from services import current_services


def accept(new: NewFile, source: UploadSource, client: str) -> FileRow:
    """Spool the file and dispatch it; on return the row is PENDING."""
    row = file.receive(new, source.stream, source.max_bytes, client)
    dispatch(row)
    return row


def dispatch(row: FileRow) -> bool:
    """Have a thread store a PENDING file. Returns False if the pool is full or has the file already."""
    return current_services().store_pool.submit(row.id, partial(file.upload_file, row.id), file_id=row.id)
