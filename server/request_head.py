"""What can be said of a request from the bytes of its head that have come. Pure rules, over RFC 9112 §2."""

from __future__ import annotations

from enum import Enum, auto

MAX_HEAD_BYTES = 32 << 10
"""Bytes of a head that are waited for. gunicorn's own limits would allow half a MiB to each connection."""


class HeadState(Enum):
    """What becomes of a connection by what has come of a head."""

    WHOLE = auto()
    MORE = auto()
    TOO_LARGE = auto()
    ENDED = auto()


def head_state(came: bytes | bytearray | None, line_limit: int, seen: int = 0) -> HeadState:
    """What `came`, None where the connection ended before a head was whole. The first `seen` bytes were MORE before.

    WHOLE also where a parser can refuse it without waiting: its first line is too long, or a line ends in LF alone.
    """
    if came is None:
        return HeadState.ENDED
    # Only what is new is looked at, so that a head that comes byte by byte costs no more than one that does not.
    new = came[max(0, seen - len("\r\n\r")) :]
    lines = new.removeprefix(b"\n") if seen else new
    if b"\r\n\r\n" in new or lines.count(b"\n") != lines.count(b"\r\n") or _is_too_long(came, line_limit, seen):
        return HeadState.WHOLE
    return HeadState.MORE if len(came) < MAX_HEAD_BYTES else HeadState.TOO_LARGE


def _is_too_long(came: bytes | bytearray, limit: int, seen: int) -> bool:
    """Whether the request line has more bytes than that. One empty line in front of it does not count."""
    start = len("\r\n") if came.startswith(b"\r\n") else 0
    most = start + limit + len("\r\n")
    return seen <= most < len(came) and came.find(b"\r\n", start, most) < 0
