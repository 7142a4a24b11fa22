"""Tar archives. They begin with the name of the first file, which may look like any magic number."""

from __future__ import annotations

import re

_OCTAL = re.compile(rb"[ 0]*([0-7]{1,6})[ \0]")


def detect(head: bytes) -> str | None:
    """Return `application/x-tar` if the first header's checksum is right (POSIX pax, "ustar Interchange Format")."""
    written = _OCTAL.match(head, 148, 156)
    if len(head) < 512 or written is None:
        return None
    blanked = sum(head[:148]) + 8 * 0x20 + sum(head[156:512])
    return "application/x-tar" if blanked == int(written[1], 8) else None
