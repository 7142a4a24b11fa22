"""The state of a request head that is still arriving. Pure rules, from RFC 9112 §2."""

from __future__ import annotations

from enum import Enum, auto

MAX_HEAD_BYTES = 32 << 10
"""Size limit of an incomplete head. gunicorn's own limits would allow half a MiB for each connection."""


class HeadState(Enum):
    """What the received bytes of a head mean for its connection."""

    PARSABLE = auto()
    """Complete or invalid: a parser can accept or reject it without waiting."""
    INCOMPLETE = auto()
    TOO_LARGE = auto()
    DISCONNECTED = auto()


def head_state(head: bytes | bytearray | None, line_limit: int, scanned: int = 0) -> HeadState:
    """The state of `head`; None if the client disconnected before it was complete.

    The first `scanned` bytes are known to be INCOMPLETE. An invalid head is PARSABLE as soon as a parser can reject it:
    if its first line is too long, or a line ends in a bare LF.
    """
    if head is None:
        return HeadState.DISCONNECTED
    # Only new bytes are scanned, so that a head that arrives byte by byte takes linear time too.
    new = head[max(0, scanned - len("\r\n\r")) :]
    lines = new.removeprefix(b"\n") if scanned else new
    bare_lf = lines.count(b"\n") != lines.count(b"\r\n")
    if b"\r\n\r\n" in new or bare_lf or _is_line_too_long(head, line_limit, scanned):
        return HeadState.PARSABLE
    return HeadState.INCOMPLETE if len(head) < MAX_HEAD_BYTES else HeadState.TOO_LARGE


def _is_line_too_long(head: bytes | bytearray, limit: int, scanned: int) -> bool:
    """Whether the request line has more than `limit` bytes. An empty line before it is allowed and not counted."""
    start = len("\r\n") if head.startswith(b"\r\n") else 0
    end = start + limit + len("\r\n")
    return scanned <= end < len(head) and head.find(b"\r\n", start, end) < 0
