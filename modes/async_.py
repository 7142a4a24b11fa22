"""Mode `async`: the bytes are spooled, the client gets its response, and a thread stores the file."""

from __future__ import annotations

from functools import partial

import file
from api.upload_request import IncomingFile
from models import File
from services import current_services


def upload(row: File, incoming: IncomingFile) -> None:
    """Spool the file and dispatch it; on return the row is PENDING."""
    file.receive(row, incoming.stream, incoming.max_bytes, incoming.client)
    dispatch(row)


def dispatch(row: File) -> bool:
    """Have a thread store a PENDING file. Returns False if the pool is full or has the file already."""
    return current_services().store_pool.submit(row.id, partial(file.upload_file, row.id), file_id=row.id)
