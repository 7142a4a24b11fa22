"""Mode `normal`: the request itself carries the bytes to the storage while they arrive; the client waits."""

from __future__ import annotations

import file
import lease
from models import File
from sent import Sent


def upload(row: File, sent: Sent) -> None:
    """Store `sent`; the row is COMPLETE on return. It is committed before the first byte leaves."""
    row.accept(lease.keeper().seconds, held=True)
    file.store(row, sent.stream, sent.bound)
