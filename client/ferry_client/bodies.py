"""What an upload sends: the bytes of a path or stream, in pieces of 1 MiB, as often as they can be read."""

from __future__ import annotations

import errno
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

Progress = Callable[[int, int | None], object]
"""Called with the bytes so far, and all there are where that is known. What is sent again is counted again from 0."""

PIECE = 1 << 20
_UNKNOWN = "application/octet-stream"
_ONLY_IN_A_FORM = ("application/json", "application/x-www-form-urlencoded")
"""The server takes a raw body of these for something else than a file."""


class Body:
    """One upload's bytes. `size` is None for a stream that can't tell; that one can be read only once."""

    def __init__(self, stream: BinaryIO, name: str, content_type: str | None, on_progress: Progress | None) -> None:
        self._stream, self._on_progress = stream, on_progress
        self._start = stream.tell() if _rewinds(stream) else None
        self._touched = False
        self.name = name.encode(errors="replace").decode()  # A name on disk need not be UTF-8; one in a URL has to be.
        self.content_type = content_type or _type_of(name)
        self.size = None if self._start is None else stream.seek(0, os.SEEK_END) - self._start
        self._before, self._after = b"", b""
        if self.content_type in _ONLY_IN_A_FORM or self.content_type.startswith("multipart/"):
            self._wrap()

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
        return b"".join(pieces) if self.size is not None and self.size <= PIECE else pieces

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
            piece = self._stream.read(PIECE if self.size is None else min(PIECE, self.size - done))
            if piece is None:
                raise BlockingIOError(errno.EAGAIN, "What is to be sent does not wait for its bytes")
            if not piece:
                break
            yield piece
            done += len(piece)
            self._tell(done)
        if self.size is not None and done < self.size:
            raise FileChanged(f"{self.name} became shorter while it was sent.")

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


def _type_of(name: str) -> str:
    """What its ending says; of what is packed, that says what is inside."""
    inside, packed = mimetypes.guess_type(name)
    return _UNKNOWN if packed or not inside else inside


@contextmanager
def opened(
    source: str | os.PathLike[str] | BinaryIO, name: str | None, content_type: str | None, on_progress: Progress | None
) -> Iterator[Body]:
    """The body that a path or a binary stream (read from where it stands, and left open) gives."""
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb", buffering=0) as stream:
            yield Body(stream, name or Path(source).name, content_type, on_progress)
    else:
        path = getattr(source, "name", "")  # That of a pipe is a number.
        yield Body(source, name or (Path(path).name if isinstance(path, str) else ""), content_type, on_progress)
