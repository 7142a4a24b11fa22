"""Mode `normal`: the request itself carries the bytes to the storage while they arrive; the client waits."""

from __future__ import annotations

import file
from api.upload_request import IncomingFile
from models import File


def upload(row: File, sent: IncomingFile) -> None:
    """Store `sent`; the row is COMPLETE on return. It is committed before the first byte leaves."""
    file.insert_claimed(row, sent.max_bytes)
    file.store(row, sent.stream, sent.max_bytes)
