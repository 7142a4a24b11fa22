"""Python client for Ferry: `Ferry(url, key)` uploads, waits, lists, downloads and deletes. Raises FerryError."""

from ferry_client.errors import (
    ChecksumMismatch,
    ConnectionFailed,
    DownloadInterrupted,
    FerryError,
    FileChanged,
    WaitTimeout,
    WrongAddress,
    WrongProxy,
)
from ferry_client.ferry import Ferry
from ferry_client.files import File, Link, Mode, Status
from ferry_client.version import __version__

__all__ = [
    "ChecksumMismatch",
    "ConnectionFailed",
    "DownloadInterrupted",
    "Ferry",
    "FerryError",
    "File",
    "FileChanged",
    "Link",
    "Mode",
    "Status",
    "WaitTimeout",
    "WrongAddress",
    "WrongProxy",
    "__version__",
]
