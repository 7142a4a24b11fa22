"""What an upload sends: the bytes of a path or stream, in pieces of 1 MiB, as often as they can be read."""

from __future__ import annotations

import errno
import io
import mimetypes
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from ferry_client.errors import FileChanged
from ferry_client.rate_limit import RateLimit

Progress = Callable[[int, int | None], object]
"""Called with the bytes so far, and the size if it is known. The first call comes before any byte moves, with 0 or with
what an earlier download left. An upload that is sent again is counted again from 0."""

PIECE = 1 << 20
_UNKNOWN = "application/octet-stream"
_ONLY_IN_A_FORM = ("application/json", "application/x-www-form-urlencoded")
"""The server takes a raw body of these for something else than a file."""


class Body:
    """One upload's bytes. `size` is None for a stream whose end is not known before it is read: it goes in chunks."""

    def __init__(
        self, stream: BinaryIO, name: str, content_type: str | None, on_progress: Progress | None,
        limit: RateLimit | None = None,
    ) -> None:  # fmt: skip
        self._stream, self._on_progress, self._limit = stream, on_progress, limit
        self._piece = limit.piece if limit else PIECE
        self._start: int | None = None
        self.size: int | None = None
        if _rewinds(stream):
            self._measure(stream.tell())
        self._touched = False
        self.name = name.encode(errors="replace").decode()  # A name on disk need not be UTF-8; one in a URL has to be.
        self.content_type = content_type or _type_of(name)
        self._before, self._after = b"", b""
        if self.content_type in _ONLY_IN_A_FORM or self.content_type.startswith("multipart/"):
            self._wrap()

    def _measure(self, start: int) -> None:
        """Set `size`. The kernel's own files (/proc, /sys) announce 0 or 4096 bytes, whatever they have.

        So a file is read before its size is believed. One that ends within a piece is sent as it was read here.
        """
        self._start = start
        head = _read(self._stream, PIECE)
        if len(head) < PIECE:
            self._stream, self._start, self.size = io.BytesIO(head), 0, len(head)
            return
        size = self._stream.seek(0, os.SEEK_END) - start
        self.size = size if size >= len(head) else None

    @property
    def can_be_sent(self) -> bool:
        """Whether none of it is gone for good."""
        return self._start is not None or not self._touched

    @property
    def headers(self) -> dict[str, str]:
        """Its type; and its length, where that is known. Else it goes in chunks."""
        around = len(self._before) + len(self._after)
        length = {} if self.size is None else {"Content-Length": str(around + self.size)}
        return {"Content-Type": self.content_type, **length}

    def content(self) -> bytes | Iterator[bytes]:
        """All of it, from its start. What is small comes whole, because one piece takes one call to send."""
        pieces = self._pieces()
        return b"".join(pieces) if self.size is not None and self.size <= self._piece else pieces

    def _pieces(self) -> Iterator[bytes]:
        if self._before:
            yield self._before
        yield from self._counted()
        if self._after:
            yield self._after

    def _counted(self) -> Iterator[bytes]:
        """No more than the size that was announced, even if the file grows meanwhile. Raises FileChanged for less."""
        if self._start is not None:
            self._stream.seek(self._start)
        done = 0
        self._tell(done)
        while done != self.size:
            self._touched = True
            piece = self._stream.read(self._piece if self.size is None else min(self._piece, self.size - done))
            if piece is None:
                raise BlockingIOError(errno.EAGAIN, "What is to be sent does not wait for its bytes")
            if not piece:
                break
            if self._limit:
                self._limit.take(len(piece))
            yield piece
            done += len(piece)
            self._tell(done)
        if self.size is not None and done < self.size:
            raise FileChanged(f"{self.name} became shorter while it was sent: {done} of {self.size} bytes came.")

    def _tell(self, done: int) -> None:
        if self._on_progress:
            self._on_progress(done, self.size)

    def _wrap(self) -> None:
        """Into a form (RFC 7578); the name in the way of RFC 8187, which takes any."""
        boundary = secrets.token_hex(16)
        self._before = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"; '
            f"filename*=UTF-8''{quote(self.name, safe='')}\r\nContent-Type: {self.content_type}\r\n\r\n"
        ).encode()
        self._after = f"\r\n--{boundary}--\r\n".encode()
        self.content_type = f"multipart/form-data; boundary={boundary}"


def _rewinds(stream: BinaryIO) -> bool:
    """Whether it can be read again. A character device says so too, and that it has no bytes."""
    try:
        return stream.seekable() and not stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    except (OSError, AttributeError):  # One in memory has no descriptor.
        return stream.seekable()


def _read(stream: BinaryIO, most: int) -> bytes:
    """Up to `most` bytes; fewer only at the end. One read() of a file in /proc brings a page of it, not all."""
    found = b""
    while len(found) < most and (piece := stream.read(most - len(found))):
        found += piece
    return found


def _type_of(name: str) -> str:
    """What its ending says; of what is packed, that says what is inside."""
    inside, packed = mimetypes.guess_type(name)
    return _UNKNOWN if packed or not inside else inside


@contextmanager
def opened(
    source: str | os.PathLike[str] | BinaryIO, name: str | None, content_type: str | None,
    on_progress: Progress | None, limit: RateLimit | None,
) -> Iterator[Body]:  # fmt: skip
    """The body that a path or a binary stream (read from where it stands, and left open) gives."""
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb", buffering=0) as stream:
            yield Body(stream, name or Path(source).name, content_type, on_progress, limit)
    else:
        path = getattr(source, "name", "")  # That of a pipe is a number.
        yield Body(source, name or (Path(path).name if isinstance(path, str) else ""), content_type, on_progress, limit)
