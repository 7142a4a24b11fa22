"""Mode `normal`: the request stores the bytes as they arrive, and the client waits."""

from __future__ import annotations

import file
from lifecycle.upload_source import UploadSource
from models import FileRow, NewFile


def accept(new: NewFile, source: UploadSource, client: str) -> FileRow:
    """Store the file and return its COMPLETE row. The row is committed before the first byte is sent."""
    row = file.insert_claimed(new, source.max_bytes)
    return file.store(row, source.stream, source.max_bytes)
