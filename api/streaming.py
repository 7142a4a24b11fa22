"""The body of an answer, as it goes into the connection: exactly as long as announced, or cut.

Under gunicorn a body that ends early looks like a normal end, and its client waits for the rest: only what is raised
cuts the connection. Raised before the first byte it is still a problem with a status of its own.
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
"""For one piece, of at most 256 KiB: who takes longer, less than 9 kB/s, has a thread for nothing."""

_LEAST = 64 << 10


def enforce_length(stream: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield what `stream` yields. Raises StorageMismatch before a byte more than `size`, and at an end before it."""
    left = size
    for piece in stream:
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise StorageMismatch("The storage gave another number of bytes than the object has.")


def log_failures(pieces: Iterable[bytes], id: str) -> Iterator[bytes]:
    """Yield the same. Where the storage fails, a line of the log says for which file."""
    try:
        yield from pieces
    except StorageError as error:
        log.warning("the storage did not give all of it: %s", error.slug(), extra=logs.for_file(id))
        raise


def rechunk(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of 64 KiB at least, but for the last: each costs a system call."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _LEAST:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def streaming_response(body: Iterator[bytes], status: int, headers: Mapping[str, str], held: ExitStack) -> Response:
    """An answer with this body. Its first piece is read here; what is `held` is let go when the last is sent, or none
    can be any more. Lines that are logged meanwhile are the request's, which is over by then.
    """
    context = copy_context()
    first = context.run(next, body, b"")
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        # For sendall(), as Python has it, this is the time for all of a piece. The next request sets it anew.
        connection.settimeout(SEND_TIMEOUT)
    answer = Response(chain((first,), _rest(body, context)), status, headers)
    answer.call_on_close(held.pop_all().close)
    return answer


def _rest(body: Iterator[bytes], context: Context) -> Iterator[bytes]:
    """Yield what is left. A storage that fails cuts the connection without a traceback: to gunicorn it was reset."""
    try:
        while (piece := context.run(next, body, None)) is not None:
            yield piece
    except StorageError as error:
        raise ConnectionResetError(errno.ECONNRESET, "the storage did not give all of it") from error
