"""The body of a request, as it comes out of the connection.

gunicorn's own road copies each byte three times in user space before anybody sees it. Where the length is announced
and the connection is a plain socket, it is asked itself; gunicorn's books are kept, so that it finds the next request.
"""

from __future__ import annotations

import math
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from flask import Request
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ChunkMissingTerminator, ParseException
from gunicorn.http.unreader import SocketUnreader
from werkzeug.exceptions import ClientDisconnected

from problems import BadRequest, IncompleteBody
from server.min_rate import MinRate

READ_SIZE = 3 << 18
"""Bytes asked for at once. Reads of 1 MiB are hardly faster, and take some 10 MiB more for one large upload and
some 40 MiB for eight at once."""


def is_disconnected(connection: socket.socket | None) -> bool:
    """Whether the client has closed its connection. Unknown, and so False, over TLS, which can't be peeked into."""
    if type(connection) is not socket.socket:
        return False
    try:
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


def iter_body(request: Request) -> Iterator[bytes]:
    """Yield the body in pieces of up to READ bytes. Raises IncompleteBody unless it has the announced length.

    The count is ours to take: under gunicorn a body that was cut looks like a normal end. Raises RequestTimeout for one
    that comes too slowly, BadRequest for chunks that are none.
    """
    announced, got = request.content_length, 0
    try:
        for piece in _pieces(request):
            got += len(piece)
            yield piece
    except (OSError, ClientDisconnected) as error:
        raise IncompleteBody from error
    except ParseException as error:
        cut = isinstance(error, ChunkMissingTerminator) and len(error.term) < len("\r\n")
        raise (IncompleteBody if cut else BadRequest)("The chunks are not well formed.") from error
    if announced is not None and got != announced:
        raise IncompleteBody(f"{got} of {announced} bytes arrived.")


def has_unread_body(body: Body) -> bool:
    """Whether some of a body may still have to come: then nobody knows where on the connection the next request starts.

    What has come along with the head can be dropped without waiting.
    """
    reader = body.reader
    if isinstance(reader, LengthReader):
        return bool(body.failed or reader.length > len(reader.unreader.buf.getvalue()))
    return bool(body.failed or reader.parser is not None)


class Unreader(SocketUnreader):  # type: ignore[misc]
    """What gunicorn reads from the connection goes through here, and keeps the pace or raises RequestTimeout.

    A plain socket gives up after a while without a byte (SO_RCVTIMEO) and is asked again as long as the pace allows.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.pace = MinRate(math.inf, 0)
        self._unended = bytearray()

    def early(self) -> bytearray | None:
        """All that has come of the next head, without waiting; None where the connection ended before it was whole.

        What is returned grows with the next call: a head that comes byte by byte is neither copied nor searched again
        for each of them.
        """
        if self.buf.getbuffer().nbytes != len(self._unended):
            self._unended = bytearray(self.buf.getvalue())
            if b"\r\n\r\n" in self._unended:
                return self._whole()
        try:
            late = self.sock.recv(self.mxchunk, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return self._unended
        except OSError:
            return None
        if not late:
            return None
        self.buf.seek(0, os.SEEK_END)
        self.buf.write(late)
        is_whole = b"\r\n\r\n" in self._unended[-3:] + late
        self._unended += late
        return self._whole() if is_whole else self._unended

    def _whole(self) -> bytearray:
        """The head, which is forgotten here: the bytes behind it are of another."""
        head, self._unended = self._unended, bytearray()
        return head

    def chunk(self, size_hint: int | None = None) -> bytes:
        """As gunicorn calls it: the next bytes, however many."""
        return self._recv_with_deadline(super().chunk, size_hint)

    def full(self, size: int) -> bytes:
        """So many bytes, or what came of them until the socket gave up, or none at the end."""
        return self._recv_with_deadline(self.sock.recv, size, socket.MSG_WAITALL)

    def _recv_with_deadline(self, receive: Callable[..., bytes], *args: Any) -> bytes:
        while True:
            began, piece = time.monotonic(), None
            with suppress(BlockingIOError, TimeoutError):
                piece = receive(*args)
            self.pace.record(len(piece or b""), time.monotonic() - began)
            if piece is not None:
                return piece


class ExpectedBody(Body):  # type: ignore[misc]
    """A body that its client sends when it is told that it is wanted (Expect: 100-continue, RFC 9110 §10.1.1)."""

    def __init__(self, reader: Any, connection: socket.socket) -> None:
        super().__init__(reader)
        self._waiting: socket.socket | None = connection

    def ask_for(self) -> None:
        """Tell the client to go on, once."""
        if self._waiting:
            self._waiting.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._waiting = None

    def _read_reader(self, size: int) -> Any:
        self.ask_for()
        return super()._read_reader(size)


def _pieces(request: Request) -> Iterator[bytes]:
    body = request.environ["wsgi.input"]
    reader = getattr(body, "reader", None)
    # A TLS connection is a subclass, and takes no flags.
    if isinstance(reader, LengthReader) and type(reader.unreader.sock) is socket.socket:
        if isinstance(body, ExpectedBody):
            body.ask_for()
        return _recv_direct(reader)
    return iter(lambda: request.stream.read(READ_SIZE), b"")


def _recv_direct(reader: LengthReader) -> Iterator[bytes]:
    """What came along with the head, then full pieces: one system call, one copy, one turn of Python's lock."""
    early = reader.unreader.take_buffered()
    if len(early) > reader.length:
        reader.unreader.unread(early[reader.length :])
        early = early[: reader.length]
    piece = early or reader.unreader.full(min(READ_SIZE, reader.length))
    while piece:
        reader.length -= len(piece)
        yield piece
        piece = reader.unreader.full(min(READ_SIZE, reader.length))
