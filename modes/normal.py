"""Mode `normal`: the request itself carries the bytes to the storage while they arrive; the client waits."""

from __future__ import annotations

from contextlib import suppress

import file
import removal
from database import AWAY
from models import File
from problems import ChunkedUpload
from sent import Sent


def upload(row: File, sent: Sent) -> None:
    """Store `sent`; the row is COMPLETE on return. It is committed before the first byte leaves.

    A form may say behind its file that this is a chunk: its row goes, since no client has its id.
    """
    file.hold(row, sent.bound)
    try:
        file.store(row, sent.stream, sent.bound)
    except ChunkedUpload:
        with suppress(*AWAY):
            removal.delete(row)
        raise
