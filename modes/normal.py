"""Mode `normal`: the request itself carries the bytes to the storage while they arrive; the client waits."""

from __future__ import annotations

import file
from models import File
from sent import Sent


def upload(row: File, sent: Sent) -> None:
    """Store `sent`; the row is COMPLETE on return. It is committed before the first byte leaves."""
    file.hold(row, sent.bound)
    file.store(row, sent.stream, sent.bound)
