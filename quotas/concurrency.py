"""Slots of a host: a limit of concurrent operations, counted across all of its processes.

A slot is a lock on one byte of a file and belongs to the open file: the kernel releases it when the process ends,
however it ends, so that the count is never wrong.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config_types import MAX_TRANSFERS

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
_MAX_SLOTS = MAX_TRANSFERS
"""Slots of one name: the bytes between the first slots of two names."""


class HostSlots:
    """The slots of one host, as locks in the file `path`. It stays empty: locks may lie beyond its end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def acquire(self, name: str, limit: int, error: Exception) -> Iterator[None]:
        """Hold one of the `limit` slots of `name`. Raises `error` if all are held.

        with slots.acquire("owner alice", 4, TooManyUploads()):
            receive()
        """
        file = self._open()
        try:
            first = _first_byte(name)
            if not any(_lock(file, first + number) for number in range(min(limit, _MAX_SLOTS))):
                raise error
            yield
        finally:
            os.close(file)

    def _open(self) -> int:
        try:
            return os.open(self._path, _FLAGS, 0o600)
        except FileNotFoundError:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, _FLAGS, 0o600)


def _first_byte(name: str) -> int:
    """The offset of a name's slots. A collision among a million names has a probability of one in five hundred."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) * _MAX_SLOTS


def _lock(file: int, offset: int) -> bool:
    """Lock a byte for as long as `file` is open. False if it is locked already.

    An open file description lock (fcntl(2)): the traditional ones belong to the whole process.
    """
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True
