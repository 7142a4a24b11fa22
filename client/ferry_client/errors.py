"""Exceptions. The server's problems, one class each, are in ferry_client.problems.

FerryError
├── ConnectionFailed        no response
│   └── WrongAddress        not retried: unknown host, connection refused, failed TLS, wrong path
│       └── WrongProxy      caused by the proxy from the environment
├── WaitTimeout             wait() exceeded its timeout
├── FileChanged             the file became shorter during the upload
├── ChecksumMismatch        the downloaded bytes differ from the stored file
├── DownloadInterrupted     a download to a stream broke and cannot be resumed
└── every class of ferry_client.problems
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class FerryError(Exception):
    """Base class of all errors; itself raised for a problem that this version does not know.

    `slug`: the problem's stable name. `status`: the response's status code, 0 without a response. `detail`: one
    sentence for people. `fields`: the problem's extension members (RFC 9457 §3.2). `retry_after`: seconds.
    """

    slug: str = "unknown"

    def __init__(
        self, detail: str, *, slug: str | None = None, status: int = 0,
        fields: Mapping[str, Any] | None = None, retry_after: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.slug = slug or type(self).slug
        self.status, self.detail, self.fields, self.retry_after = status, detail, dict(fields or {}), retry_after

    def __str__(self) -> str:
        return f"{self.detail} ({self.slug})"


class ConnectionFailed(FerryError):
    """No response: the connection failed or broke, or the read timed out.

    `idle`: seconds of the failed try that count towards `max_retry_seconds`: all of them if the connection could not be
    established or the request carries no file, else 0.
    """

    slug = "unreachable"

    def __init__(self, detail: str, *, idle: float = 0.0) -> None:
        super().__init__(detail)
        self.idle = idle


class WrongAddress(ConnectionFailed):
    """A failure that no pause repairs, at an address that has not answered yet. Not retried.

    The host is unknown, the port refuses connections, the certificate is not trusted, the server speaks another
    protocol, or Ferry does not serve the address's path. After the first response the same failures raise
    ConnectionFailed, because the server may be restarting.
    """

    slug = "wrong-address"


class WrongProxy(WrongAddress):
    """The proxy from the environment can't be reached, or refuses to connect to the server."""

    slug = "wrong-proxy"


class WaitTimeout(FerryError):
    """The file did not reach COMPLETE or ERROR within the timeout of wait()."""

    slug = "timed-out"


class FileChanged(FerryError):
    """The file became shorter during the upload. Nothing of it was stored."""

    slug = "file-changed"


class ChecksumMismatch(FerryError):
    """The downloaded bytes do not have the file's SHA-256. A target path is left unchanged, a stream is not."""

    slug = "damaged"


class DownloadInterrupted(FerryError):
    """A download to a stream broke, and the server did not resume it. The stream holds the beginning of the file."""

    slug = "cut-short"
