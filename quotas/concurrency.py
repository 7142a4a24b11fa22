"""Slots: how many of something may be under way at once, counted for all processes of this host.

A slot is a lock on one byte of a file, and belongs to the open file: the kernel gives it back when its process dies,
however it dies, so that no count is ever wrong.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from problems import Problem, TooManyUploads

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
_MOST = 1 << 14
"""Slots that anybody can have: the bytes from one name's first to the next name's."""


class ConcurrencyLimiter:
    """The slots of one host, in the file `path`. It stays empty: locks may lie beyond its end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def acquire(self, name: str, most: int, refusal: Problem | None = None) -> Iterator[None]:
        """Hold one of the `most` slots of `name`. Raises `refusal`, or TooManyUploads, where all are taken."""
        file = self._open()
        try:
            first = _first(name)
            if not any(_lock(file, first + number) for number in range(min(most, _MOST))):
                raise refusal or TooManyUploads(f"At most {most} at once.", most=most)
            yield
        finally:
            os.close(file)

    def _open(self) -> int:
        try:
            return os.open(self._path, _FLAGS, 0o600)
        except FileNotFoundError:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, _FLAGS, 0o600)


def _first(name: str) -> int:
    """The first byte of a name's slots. Two names of a million meet with a chance of one in five hundred."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) * _MOST


def _lock(file: int, byte: int) -> bool:
    """Lock a byte for as long as `file` is open. Open file description locks (fcntl(2)): others belong to a process."""
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True
