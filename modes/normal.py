"""Mode `normal`: the request stores the bytes as they arrive, and the client waits."""

from __future__ import annotations

import file
from api.upload_request import IncomingFile
from models import File


def upload(row: File, incoming: IncomingFile) -> None:
    """Store the file; on return the row is COMPLETE. The row is committed before the first byte is sent."""
    file.insert_claimed(row, incoming.max_bytes)
    file.store(row, incoming.stream, incoming.max_bytes)
