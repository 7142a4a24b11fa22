"""The body of a request, read from its connection.

gunicorn itself copies each byte three times in user space before the app gets it. If the length is known and the
connection is a plain socket, Ferry reads from the socket and updates gunicorn's counters, so that gunicorn finds the
next request.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from flask import Request
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ChunkMissingTerminator, ParseException
from gunicorn.http.unreader import SocketUnreader
from typing_extensions import override
from werkzeug.exceptions import ClientDisconnected

from problems import BadRequest, IncompleteBody
from server.min_rate import MinRate

READ_SIZE = 3 << 18
"""Bytes per read. Reads of 1 MiB are hardly faster, and take some 10 MiB more memory for one large upload and some
40 MiB for eight at once."""

_HEAD_END = b"\r\n\r\n"


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


def has_unread_body(body: Body) -> bool:
    """Whether part of a body has not been read from the connection, so that the next request's start is unknown.

    If the length is known, bytes that arrived with the head count as read: they can be discarded without waiting.
    """
    reader = body.reader
    if isinstance(reader, LengthReader):
        return bool(body.failed or reader.length > len(reader.unreader.buf.getvalue()))
    return bool(body.failed or reader.parser is not None)


class Unreader(SocketUnreader):  # type: ignore[misc]
    """gunicorn's reader of a connection, with a minimum rate. Its reads raise RequestTimeout if it is not reached.

    A read of a plain socket returns after a while without a byte (SO_RCVTIMEO) and is repeated within the minimum rate.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.min_rate = MinRate(math.inf, 0)
        self.scanned = 0
        """Bytes of the next head that `head_state` has found to be incomplete."""
        self._partial_head = bytearray()

    def read_head(self) -> bytearray | None:
        """The received bytes of the next request head, without waiting; None if the client disconnected before its end.

        The result grows with the next call: a head that arrives byte by byte is neither copied nor searched again.
        """
        if self.buf.getbuffer().nbytes != len(self._partial_head):
            self._partial_head = bytearray(self.buf.getvalue())
            if _HEAD_END in self._partial_head:
                return self._take_head()
        try:
            received = self.sock.recv(self.mxchunk, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return self._partial_head
        except OSError:
            return None
        if not received:
            return None
        self.buf.seek(0, os.SEEK_END)
        self.buf.write(received)
        is_complete = _HEAD_END in self._partial_head[-3:] + received
        self._partial_head += received
        return self._take_head() if is_complete else self._partial_head

    def _take_head(self) -> bytearray:
        """The complete head. It is forgotten here: the bytes after it belong to another one."""
        head, self._partial_head = self._partial_head, bytearray()
        return head

    @override
    def chunk(self, size_hint: int | None = None) -> bytes:
        return self._recv_with_deadline(super().chunk, size_hint)

    def recv_full(self, size: int) -> bytes:
        """`size` bytes, or those that arrived before the read timed out; empty at the end of the stream."""
        return self._recv_with_deadline(self.sock.recv, size, socket.MSG_WAITALL)

    def _recv_with_deadline(self, recv: Callable[..., bytes], *args: Any) -> bytes:
        while True:
            started, data = time.monotonic(), None
            with suppress(BlockingIOError, TimeoutError):
                data = recv(*args)
            self.min_rate.record(len(data or b""), time.monotonic() - started)
            if data is not None:
                return data


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
