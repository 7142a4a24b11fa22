"""The body of a request, read from its connection.

gunicorn itself copies each byte three times in user space before the app gets it. If the length is known and the
connection is a plain socket, Ferry reads from the socket and updates gunicorn's counters, so that gunicorn finds the
next request.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

from flask import Request
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ChunkMissingTerminator, ParseException
from typing_extensions import override
from werkzeug.exceptions import ClientDisconnected

from problems import BadRequest, IncompleteBody

READ_SIZE = 3 << 18
"""Bytes per read. Reads of 1 MiB are hardly faster, and take some 10 MiB more memory for one large upload and some
40 MiB for eight at once."""


def iter_body(request: Request) -> Iterator[bytes]:
    """Yield the body in chunks of up to READ_SIZE bytes.

    Raises IncompleteBody unless it has the declared length: gunicorn reports a connection that was cut as a normal end.
    Raises RequestTimeout if it arrives too slowly, BadRequest for malformed chunks.
    """
    content_length, received = request.content_length, 0
    try:
        for chunk in _chunks(request):
            received += len(chunk)
            yield chunk
    except (OSError, ClientDisconnected) as error:
        raise IncompleteBody from error
    except ParseException as error:
        is_cut = isinstance(error, ChunkMissingTerminator) and len(error.term) < len("\r\n")
        raise (IncompleteBody if is_cut else BadRequest)("The chunks are not well formed.") from error
    if content_length is not None and received != content_length:
        raise IncompleteBody(f"{received} of {content_length} bytes arrived.")


def has_body_in_flight(body: Body) -> bool:
    """Whether part of a body has not been read from the connection, so that the next request's start is unknown.

    If the length is known, bytes that arrived with the head count as read: they can be discarded without waiting.
    """
    reader = body.reader
    if isinstance(reader, LengthReader):
        return bool(body.failed or reader.length > len(reader.unreader.buf.getvalue()))
    return bool(body.failed or reader.parser is not None)


class ExpectedBody(Body):  # type: ignore[misc]
    """A body that the client sends after a 100 Continue (Expect: 100-continue, RFC 9110 §10.1.1)."""

    def __init__(self, reader: Any, connection: socket.socket) -> None:
        super().__init__(reader)
        self._awaiting_continue: socket.socket | None = connection

    def send_continue(self) -> None:
        """Send 100 Continue, once."""
        if self._awaiting_continue:
            self._awaiting_continue.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._awaiting_continue = None

    @override
    def _read_reader(self, size: int) -> Any:
        self.send_continue()
        return super()._read_reader(size)


def _chunks(request: Request) -> Iterator[bytes]:
    body = request.environ["wsgi.input"]
    reader = getattr(body, "reader", None)
    # A TLS connection is a subclass of socket, and its recv takes no flags.
    if isinstance(reader, LengthReader) and type(reader.unreader.sock) is socket.socket:
        if isinstance(body, ExpectedBody):
            body.send_continue()
        return _recv_direct(reader)
    return iter(lambda: request.stream.read(READ_SIZE), b"")


def _recv_direct(reader: LengthReader) -> Iterator[bytes]:
    """The bytes that arrived with the head, then full chunks: one system call, one copy, one turn of the GIL each."""
    buffered = reader.unreader.take_buffered()
    if len(buffered) > reader.length:
        reader.unreader.unread(buffered[reader.length :])
        buffered = buffered[: reader.length]
    chunk = buffered or reader.unreader.recv_full(min(READ_SIZE, reader.length))
    while chunk:
        reader.length -= len(chunk)
        yield chunk
        chunk = reader.unreader.recv_full(min(READ_SIZE, reader.length))
