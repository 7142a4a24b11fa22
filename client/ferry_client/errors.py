"""What can go wrong. The server's own kinds of problem, one class each, are in ferry_client.problems.

FerryError
├── Unreachable       no answer came
│   └── WrongAddress  and none will: no such host, nothing listens there, TLS is refused, wrong path
│       └── WrongProxy    because of the proxy that the environment names
├── TimedOut          wait() took longer than it may
├── FileChanged       the file became shorter while it was sent
├── Damaged           what was downloaded is not what was stored
├── CutShort          a download into a stream broke where it could not go on
└── every class of ferry_client.problems
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class FerryError(Exception):
    """The server refused, or failed. Of a kind that this version does not know when it is no subclass.

    `slug` is the problem's stable name, `status` that of the answer (0: there was none), `detail` is for people,
    `fields` are the problem's own members, and `retry_after` is the pause in seconds that the server asks for.
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


class Unreachable(FerryError):
    """No answer came: no connection, or it broke, or nothing arrived for too long.

    `idle` is the time in seconds in which no byte of a file moved: it counts like a pause.
    """

    slug = "unreachable"

    def __init__(self, detail: str, *, idle: float = 0.0) -> None:
        super().__init__(detail)
        self.idle = idle


class WrongAddress(Unreachable):
    """Nothing at this address has answered yet, and no pause changes that: the request is not repeated.

    The host has no address, the port refuses connections, the certificate is not trusted, the other end speaks
    another protocol, or Ferry answers there but not below the address's path. Once a server has answered, the same
    failures are Unreachable, because it may be restarting.
    """

    slug = "wrong-address"


class WrongProxy(WrongAddress):
    """The proxy that the environment names can't be reached, or refuses to connect to the server."""

    slug = "wrong-proxy"


class TimedOut(FerryError):
    """The file has not ended within the time that wait() was given."""

    slug = "timed-out"


class FileChanged(FerryError):
    """The file became shorter while it was sent. Nothing was kept of it."""

    slug = "file-changed"


class Damaged(FerryError):
    """The bytes that were downloaded are not the file's: their SHA-256 is another. None are left but in a stream."""

    slug = "damaged"


class CutShort(FerryError):
    """A download into a stream broke, and the server did not go on there. The stream has the beginning of the file."""

    slug = "cut-short"
