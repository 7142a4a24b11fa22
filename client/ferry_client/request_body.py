"""Request body of an upload: the bytes of a path or stream in chunks of 1 MiB, replayable if they can be read again."""

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

ProgressCallback = Callable[[int, int | None], object]
"""Called with the bytes transferred so far, and the size if it is known. The first call precedes the transfer, with 0
or the size of a resumed partial download. A retried upload starts again at 0.
"""

CHUNK_BYTES = 1 << 20
_DEFAULT_TYPE = "application/octet-stream"


class RequestBody:
    """The bytes of one upload. `size` is None for a stream of unknown length, which is sent chunked."""

    def __init__(
        self, stream: BinaryIO, name: str, content_type: str | None, on_progress: ProgressCallback | None,
        limit: RateLimit | None = None,
    ) -> None:  # fmt: skip
        self._stream, self._on_progress, self._limit = stream, on_progress, limit
        self._chunk_bytes = limit.chunk_bytes if limit else CHUNK_BYTES
        self._start: int | None = None
        self.size: int | None = None
        if _is_seekable(stream):
            self._measure(stream.tell())
        self._was_read = False
        self.name = name.encode(errors="replace").decode()  # A name on disk need not be UTF-8; one in a URL must be.
        self.content_type = content_type or _guess_type(name)
        self._prologue, self._epilogue = b"", b""
        if self.content_type.partition(";")[0].strip().lower() == "multipart/form-data":
            self._wrap()

    def _measure(self, start: int) -> None:
        """Set `size`. The kernel's files (/proc, /sys) report 0 or 4096 bytes, whatever they contain.

        The beginning is therefore read first. A file that ends within one chunk is sent as it was read here.
        """
        self._start = start
        head = _read_up_to(self._stream, CHUNK_BYTES)
        if len(head) < CHUNK_BYTES:
            self._stream, self._start, self.size = io.BytesIO(head), 0, len(head)
            return
        size = self._stream.seek(0, os.SEEK_END) - start
        self.size = size if size >= len(head) else None

    @property
    def is_replayable(self) -> bool:
        """Whether all bytes can still be sent: the stream is seekable, or nothing was read from it yet."""
        return self._start is not None or not self._was_read

    @property
    def headers(self) -> dict[str, str]:
        """Content-Type, and Content-Length if it is known."""
        overhead = len(self._prologue) + len(self._epilogue)
        length = {} if self.size is None else {"Content-Length": str(overhead + self.size)}
        return {"Content-Type": self.content_type, **length}

    def content(self) -> bytes | Iterator[bytes]:
        """Return the body from its start: bytes (one call to send) if it fits one chunk, else an iterator."""
        chunks = self._chunks()
        return b"".join(chunks) if self.size is not None and self.size <= self._chunk_bytes else chunks

    def _chunks(self) -> Iterator[bytes]:
        if self._prologue:
            yield self._prologue
        yield from self._file_chunks()
        if self._epilogue:
            yield self._epilogue

    def _file_chunks(self) -> Iterator[bytes]:
        """Yield the announced size and no more, even if the file grows. Raises FileChanged if it became shorter."""
        if self._start is not None:
            self._stream.seek(self._start)
        sent = 0
        self._report_progress(sent)
        while sent != self.size:
            chunk = self._read_chunk(sent)
            if not chunk:
                break
            if self._limit:
                self._limit.acquire(len(chunk))
            yield chunk
            sent += len(chunk)
            self._report_progress(sent)
        if self.size is not None and sent < self.size:
            raise FileChanged(f"{self.name} became shorter while it was sent: {sent} of {self.size} bytes came.")

    def _read_chunk(self, sent: int) -> bytes:
        self._was_read = True
        chunk = self._stream.read(self._chunk_bytes if self.size is None else min(self._chunk_bytes, self.size - sent))
        if chunk is None:
            raise BlockingIOError(errno.EAGAIN, "The stream is non-blocking and has no bytes yet")
        return chunk

    def _report_progress(self, sent: int) -> None:
        if self._on_progress:
            self._on_progress(sent, self.size)

    def _wrap(self) -> None:
        """Wrap the bytes in a form (RFC 7578), because Ferry parses a raw body of multipart/form-data as one.

        The name is encoded by RFC 8187, which allows any character.
        """
        boundary = secrets.token_hex(16)
        self._prologue = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"; '
            f"filename*=UTF-8''{quote(self.name, safe='')}\r\nContent-Type: {self.content_type}\r\n\r\n"
        ).encode()
        self._epilogue = f"\r\n--{boundary}--\r\n".encode()
        self.content_type = f"multipart/form-data; boundary={boundary}"


def _is_seekable(stream: BinaryIO) -> bool:
    """Return whether the stream can be read again. A character device claims to be seekable, and to be empty."""
    try:
        return stream.seekable() and not stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    except (OSError, AttributeError):  # An in-memory stream has no descriptor.
        return stream.seekable()


def _read_up_to(stream: BinaryIO, max_bytes: int) -> bytes:
    """Read `max_bytes`, or less at the end. One read() of a file in /proc returns only a page of it."""
    data = b""
    while len(data) < max_bytes and (chunk := stream.read(max_bytes - len(data))):
        data += chunk
    return data


def _guess_type(name: str) -> str:
    """Guess the media type from the extension. For a compressed file mimetypes reports the type of its content."""
    media_type, encoding = mimetypes.guess_type(name)
    return _DEFAULT_TYPE if encoding or not media_type else media_type


@contextmanager
def open_body(
    source: str | os.PathLike[str] | BinaryIO, name: str | None, content_type: str | None,
    on_progress: ProgressCallback | None, limit: RateLimit | None,
) -> Iterator[RequestBody]:  # fmt: skip
    """Open the body of a path, or of a binary stream, which is read from its position and left open."""
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb", buffering=0) as stream:
            yield RequestBody(stream, name or Path(source).name, content_type, on_progress, limit)
    else:
        path = getattr(source, "name", "")  # A pipe's is its descriptor's number.
        name = name or (Path(path).name if isinstance(path, str) else "")
        yield RequestBody(source, name, content_type, on_progress, limit)
