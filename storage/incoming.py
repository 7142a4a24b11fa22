"""The body of an answer while it comes in: in pieces, never whole, and never shorter than was announced."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

from storage.base import StorageUnavailable

READ = 256 << 10
"""Bytes in a piece. Larger ones are no faster, and a download holds two of them."""


class Incoming:
    """An iterator that has the connection until its end, or until it is closed. Raises StorageUnavailable."""

    def __init__(self, file: IO[bytes], length: int, end: Callable[[bool], None]) -> None:
        """`end` gets the connection back, and whether the body was read whole: otherwise the rest is still in it."""
        self._file, self._left, self._end = file, length, end
        self._open = True

    def __iter__(self) -> Incoming:
        return self

    def __next__(self) -> bytes:
        if not self._open or not self._left:
            self.close()
            raise StopIteration
        try:
            piece = self._file.read(min(READ, self._left))
        except OSError as error:
            self.close()
            raise StorageUnavailable("The storage stopped in the middle of the object.") from error
        if not piece:
            self.close()
            raise StorageUnavailable("The storage ended in the middle of the object.")
        self._left -= len(piece)
        if not self._left:
            self.close()
        return piece

    def close(self) -> None:
        """Give the connection back; it is cut where not all was read. May be repeated."""
        if self._open:
            self._open = False
            self._end(not self._left)
