"""Mode `async`: the bytes are safe in the spool, the client is answered, a thread stores them."""

from __future__ import annotations

import file
from api.upload_request import IncomingFile
from models import File
from services import current_services


def upload(row: File, sent: IncomingFile) -> None:
    """Keep `sent`; the row is PENDING on return."""
    file.receive(row, sent.stream, sent.max_bytes, sent.client)
    dispatch(row)


def dispatch(row: File) -> None:
    """Have a thread store a waiting file."""
    current_services().store_pool.submit(file.upload_file, row.id)
