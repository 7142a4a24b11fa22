"""Binary standard input and output for `-`.

Not sys.stdin and sys.stdout: a thread that uses them holds their lock, which the interpreter takes at exit, so that it
would abort after Ctrl-C. These are new file objects on the same descriptors.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from contextlib import suppress
from typing import BinaryIO, TextIO

DASH = "-"
STDIN_NAME = "stdin"
"""Default name of an upload from standard input."""


def open_stdin() -> BinaryIO:
    """Open standard input once the first bytes are there, because the server times out a body that does not begin.

    It is unbuffered: a read returns what has come, so that a slow writer does not look like a stalled upload.
    """
    _require_open(sys.stdin)
    with suppress(OSError):  # On Windows select() supports only sockets.
        select.select([0], [], [])
    return open(0, "rb", buffering=0, closefd=False)


def stdin_is_terminal() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def open_stdout() -> BinaryIO:
    """Open standard output, buffered: one write() takes all bytes."""
    _require_open(sys.stdout)
    return open(1, "wb", closefd=False)


def _require_open(stream: TextIO | None) -> None:
    """Raise OSError if the shell has closed it (`<&-`): its number belongs to the next opened file or connection."""
    if stream is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
