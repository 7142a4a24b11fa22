"""Streaming reader of a response body: in chunks, and never shorter than its Content-Length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from storage.base import StorageUnavailable

READ = 256 << 10
"""Bytes in a chunk. Larger ones are not faster, and a download holds two of them."""


class BodyReader:
    """An iterator over the body. Holds the connection until its end or `close`. Raises StorageUnavailable."""

    def __init__(
        self, received: bytes, length: int, recv: Callable[[int], bytes], release: Callable[[bool], None]
    ) -> None:
        """`received`: the body's first bytes; `release` is called once, with whether the body was read to its end."""
        self._received, self._remaining = received, length
        self._recv, self._release = recv, release
        self._open = True

    def __iter__(self) -> BodyReader:
        return self

    def __next__(self) -> bytes:
        if not self._open or not self._remaining:
            self.close()
            raise StopIteration
        try:
            chunk = self._read(min(READ, self._remaining))
        except OSError as error:
            self.close()
            raise StorageUnavailable("The storage stopped in the middle of the object.") from error
        self._remaining -= len(chunk)
        if not self._remaining:
            self.close()
        return chunk

    def close(self) -> None:
        """Return the connection to its pool; disconnect if the body was not read to its end. May be called again."""
        if self._open:
            self._open = False
            self._release(not self._remaining)

    def _read(self, size: int) -> bytes:
        pieces = [self._received] if self._received else []
        size -= len(self._received)
        self._received = b""
        while size > 0:
            pieces.append(self._recv(size))
            if not pieces[-1]:
                raise ConnectionError("the connection ended inside the body")
            size -= len(pieces[-1])
        return b"".join(pieces)


@dataclass(frozen=True)
class StreamingResponse:
    """A success whose body is still being received. Read it to the end or close it."""

    status: int
    headers: Mapping[str, str]
    body: BodyReader
