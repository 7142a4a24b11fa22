"""What `-` stands for: the bytes of standard input and output, past Python's text.

A thread that reads or writes Python's own streams holds their lock, and Python takes it at its end: after Ctrl-C it
would abort there. So these are others, on the same descriptors.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from contextlib import suppress
from typing import BinaryIO, TextIO

STANDARD = "-"
NAME = "stdin"
"""What is sent without a name is called so."""


def standard_input() -> BinaryIO:
    """Waits for the first bytes, since the server gives up a body that does not begin.

    From then on it gives what has come without waiting for more: a slow writer does not look like a stalled one.
    """
    _must_be_open(sys.stdin)
    with suppress(OSError):  # Windows waits for sockets only.
        select.select([0], [], [])
    return open(0, "rb", buffering=0, closefd=False)


def is_typed() -> bool:
    """Whether standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def standard_output() -> BinaryIO:
    """Its write() takes all that it is given."""
    _must_be_open(sys.stdout)
    return open(1, "wb", closefd=False)


def _must_be_open(stream: TextIO | None) -> None:
    """Where the shell has closed it (`<&-`), its number goes to the next file or connection that is opened."""
    if stream is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
