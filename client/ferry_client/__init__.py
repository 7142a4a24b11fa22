"""Ferry's client: `Ferry(url, key)` uploads, waits, lists, downloads and deletes. Its errors are below FerryError."""

from ferry_client.errors import (
    CutShort,
    Damaged,
    FerryError,
    FileChanged,
    TimedOut,
    Unreachable,
    WrongAddress,
    WrongProxy,
)
from ferry_client.ferry import Ferry
from ferry_client.files import File, Link, Mode, Status
from ferry_client.version import __version__

__all__ = [
    "CutShort",
    "Damaged",
    "Ferry",
    "FerryError",
    "File",
    "FileChanged",
    "Link",
    "Mode",
    "Status",
    "TimedOut",
    "Unreachable",
    "WrongAddress",
    "WrongProxy",
    "__version__",
]
