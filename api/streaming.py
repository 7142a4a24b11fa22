"""Streamed response bodies: exactly as long as announced, or the connection is reset.

gunicorn takes a body that ends early for a complete one, and the client waits for the rest: only an exception closes
the connection. An exception before the first byte still becomes a problem with its own status.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from contextvars import Context, copy_context
from itertools import chain

from flask import Response, request

import logs
from storage.base import StorageError, StorageMismatch

log = logging.getLogger("ferry.downloads")

SEND_TIMEOUT = 30
"""Seconds for one chunk of at most 256 KiB. A client slower than 9 kB/s would occupy a thread for hours."""

_MIN_CHUNK = 64 << 10


def enforce_length(stream: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield `stream`. Raises StorageMismatch before the first byte beyond `size`, or at an earlier end."""
    left = size
    for chunk in stream:
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise StorageMismatch("The storage returned another number of bytes than the object has.")


def log_failures(chunks: Iterable[bytes], id: str) -> Iterator[bytes]:
    """Yield `chunks`. Logs a storage error with the id of its file."""
    try:
        yield from chunks
    except StorageError as error:
        log.warning("download.interrupted: %s", error.slug(), extra=logs.for_file(id))
        raise


def rechunk(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in chunks of at least 64 KiB, except the last: each chunk costs a system call."""
    buffered: list[bytes] = []
    size = 0
    for chunk in chunks:
        buffered.append(chunk)
        size += len(chunk)
        if size >= _MIN_CHUNK:
            yield b"".join(buffered)
            buffered, size = [], 0
    yield b"".join(buffered)


def streaming_response(body: Iterator[bytes], status: int, headers: Mapping[str, str], cleanup: ExitStack) -> Response:
    """A streaming response.

    Reads the first chunk now, so that a storage error still becomes a problem. Closes `cleanup` after the last chunk or
    on disconnect. Keeps the request's log context, which has ended by then.
    """
    context = copy_context()
    first = context.run(next, body, b"")
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        # Python's sendall() applies the time-out to the whole chunk. gunicorn removes it before the next request.
        connection.settimeout(SEND_TIMEOUT)
    response = Response(chain((first,), _remaining(body, context)), status, headers)
    response.call_on_close(cleanup.pop_all().close)
    return response


def _remaining(body: Iterator[bytes], context: Context) -> Iterator[bytes]:
    """Yield the remaining chunks. Turns a storage error into ConnectionResetError, which gunicorn does not trace."""
    try:
        while (chunk := context.run(next, body, None)) is not None:
            yield chunk
    except StorageError as error:
        raise ConnectionResetError(errno.ECONNRESET, "the storage ended the body early") from error
