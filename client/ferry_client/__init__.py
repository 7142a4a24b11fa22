"""Ferry's client: `Ferry(url, key)` uploads, waits, lists, downloads and deletes. Its errors are below FerryError."""

from ferry_client.errors import CutShort, Damaged, FerryError, FileChanged, TimedOut, Unreachable
from ferry_client.ferry import Ferry
from ferry_client.files import File, Mode, Status

__all__ = [
    "CutShort",
    "Damaged",
    "Ferry",
    "FerryError",
    "File",
    "FileChanged",
    "Mode",
    "Status",
    "TimedOut",
    "Unreachable",
]
