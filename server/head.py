"""What can be said of a request from the bytes of its head that have come. Pure rules, over RFC 9112 §2."""

from __future__ import annotations

from enum import Enum, auto

MOST = 32 << 10
"""Bytes of a head that are waited for. gunicorn's own limits would allow half a MiB to each connection."""


class Verdict(Enum):
    """What becomes of a connection by what has come of a head."""

    WHOLE = auto()
    MORE = auto()
    TOO_LARGE = auto()
    ENDED = auto()


def judge(came: bytes | None, line_limit: int) -> Verdict:
    """What `came`, None where the connection ended before a head was whole.

    WHOLE also where a parser can refuse it without waiting: its first line is too long, or a line ends in LF alone.
    """
    if came is None:
        return Verdict.ENDED
    if b"\r\n\r\n" in came or came.count(b"\n") != came.count(b"\r\n") or _first_line(came) > line_limit:
        return Verdict.WHOLE
    return Verdict.MORE if len(came) < MOST else Verdict.TOO_LARGE


def _first_line(came: bytes) -> int:
    """Bytes of the request line that are there for sure. One empty line in front of it does not count."""
    line, end, _ = came.removeprefix(b"\r\n").partition(b"\r\n")
    return len(line) if end else len(line) - len("\r\n")
