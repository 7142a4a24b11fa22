"""Reading a body from gunicorn's connection: all bytes arrive, and gunicorn finds the next request."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from flask import Request
from gunicorn.config import Config
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.message import Request as Message

from problems import BadRequest, IncompleteBody, RequestTimeout
from server.body import READ_SIZE, ExpectedBody, has_body_in_flight, iter_body
from server.min_rate import MinRate
from server.sockets import is_disconnected
from server.unreader import Unreader

NEXT = b"GET / HTTP/1.1\r\n\r\n"


class Incoming:
    """A request as gunicorn passes it to the app: `buffered` arrived with its head, `send` sends the rest."""

    def __init__(self, length: int, buffered: bytes = b"") -> None:
        self.server, self.client = socket.socketpair()
        self.unreader = Unreader(self.server)
        self.unreader.unread(buffered)
        self.body = Body(LengthReader(self.unreader, length))
        environ = {
            "wsgi.input": self.body,
            "wsgi.input_terminated": True,
            "gunicorn.socket": self.server,
            "CONTENT_LENGTH": str(length),
        }
        self.request = Request(environ)

    def send(self, content: bytes, *, end: bool = False) -> None:
        def run() -> None:
            if content:
                self.client.sendall(content)
            if end:
                self.client.close()

        threading.Thread(target=run, daemon=True).start()


@pytest.fixture
def requests() -> Iterator[list[Incoming]]:
    """A list of requests whose sockets are closed at the end."""
    requests: list[Incoming] = []
    yield requests
    for each in requests:
        each.server.close()
        each.client.close()


@pytest.mark.parametrize("buffered", [0, 1, 5000, 2 * READ_SIZE])
@pytest.mark.parametrize("size", [0, 1, READ_SIZE - 1, READ_SIZE, READ_SIZE + 1, 3 * READ_SIZE + 17])
def test_the_whole_body_is_read_and_the_next_request_is_not(requests: list[Incoming], size: int, buffered: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    wire = content + NEXT
    requests.append(incoming := Incoming(size, wire[:buffered]))
    incoming.send(wire[buffered:])
    assert b"".join(iter_body(incoming.request)) == content
    assert incoming.body.read(1) == b""
    assert incoming.unreader.read(len(NEXT)) == NEXT


def test_no_chunk_is_larger_than_the_read_size(requests: list[Incoming]) -> None:
    requests.append(incoming := Incoming(3 * READ_SIZE, b"abc"))
    incoming.send(b"x" * (3 * READ_SIZE - 3))
    assert [len(chunk) for chunk in iter_body(incoming.request)] == [3, READ_SIZE, READ_SIZE, READ_SIZE - 3]


@pytest.mark.parametrize("size", [0, 1, READ_SIZE, READ_SIZE + 1])
def test_a_body_that_ends_early_is_incomplete(requests: list[Incoming], size: int) -> None:
    requests.append(incoming := Incoming(2 * READ_SIZE))
    incoming.send(b"x" * size, end=True)
    with pytest.raises(IncompleteBody, match=f"{size} of {2 * READ_SIZE} bytes arrived"):
        list(iter_body(incoming.request))


def test_unread_bytes_stay_counted(requests: list[Incoming]) -> None:
    """gunicorn has to know how many bytes of a refused body precede the next request."""
    requests.append(incoming := Incoming(2 * READ_SIZE))
    incoming.send(b"x" * (2 * READ_SIZE))
    next(iter_body(incoming.request))
    assert len(incoming.body.read(2 * READ_SIZE)) == READ_SIZE


def test_a_read_that_times_out_is_repeated_within_the_minimum_rate(requests: list[Incoming]) -> None:
    requests.append(incoming := Incoming(8))
    incoming.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20_000))
    incoming.unreader.min_rate = MinRate(0.1, 1)
    incoming.send(b"half")
    started = time.monotonic()

    with pytest.raises(RequestTimeout):
        list(iter_body(incoming.request))
    assert 0.1 <= time.monotonic() - started < 1


def chunked(wire: bytes) -> Message:
    """A request with these chunks, as gunicorn parses it."""
    server, client = socket.socketpair()
    client.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + wire)
    client.close()
    message = Message(Config(), Unreader(server), ("127.0.0.1", 1))
    message.flask = Request({"wsgi.input": message.body, "wsgi.input_terminated": True})
    message.server = server
    return message


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (b"5\r\nwhole\r\n0\r\n\r\n", None),
        (b"5\r\nwho", IncompleteBody),
        (b"5\r\nwhole", IncompleteBody),
        (b"5\r\nwhole\r", IncompleteBody),
        (b"5\r\nwhole\r\n0\r\n", IncompleteBody),
        (b"5\r\nwhole\r\n0\r\nX: y\r\n", IncompleteBody),
        (b"5\r\nwholexx0\r\n\r\n", BadRequest),
        (b"five\r\nwhole\r\n0\r\n\r\n", BadRequest),
        (b"5\r\nwhole\r\n0\r\nHost: y\r\n\r\n", BadRequest),
    ],
)
def test_incomplete_and_malformed_chunks_are_refused(wire: bytes, error: type[Exception] | None) -> None:
    message = chunked(wire)
    with message.server:
        if error:
            with pytest.raises(error):
                list(iter_body(message.flask))
        else:
            assert b"".join(iter_body(message.flask)) == b"whole"
        assert has_body_in_flight(message.body) == (error is not None)


@pytest.mark.parametrize(("buffered", "unread"), [(0, True), (7, True), (8, False), (9, False)])
def test_a_body_is_unread_until_all_of_it_has_arrived(requests: list[Incoming], buffered: int, unread: bool) -> None:
    requests.append(incoming := Incoming(8, b"x" * buffered))

    assert has_body_in_flight(incoming.body) is unread


def test_100_continue_is_sent_once(requests: list[Incoming]) -> None:
    requests.append(incoming := Incoming(8))
    body = ExpectedBody(incoming.body.reader, incoming.server)
    incoming.request.environ["wsgi.input"] = body
    incoming.send(b"contents")

    assert b"".join(iter_body(incoming.request)) == b"contents"
    assert body.read(1) == b""
    assert incoming.client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("wire", "expected"),
    [(b"", b""), (b"GET", b"GET"), (None, None), (b"G" * 10_000, b"G" * 8192)],
)
def test_a_head_is_read_without_waiting(requests: list[Incoming], wire: bytes | None, expected: bytes | None) -> None:
    requests.append(incoming := Incoming(0))
    incoming.client.close() if wire is None else incoming.client.sendall(wire)

    assert incoming.unreader.read_head() == expected


def test_a_head_that_arrives_byte_by_byte_is_complete(requests: list[Incoming]) -> None:
    requests.append(incoming := Incoming(0))
    for end in range(1, len(NEXT) + 1):
        incoming.client.sendall(NEXT[end - 1 : end])
        assert incoming.unreader.read_head() == NEXT[:end]


def test_a_buffered_head_is_read_after_the_client_disconnected(requests: list[Incoming]) -> None:
    """It has the length of the previous head and arrived with that request's body."""
    requests.append(incoming := Incoming(0))
    incoming.client.sendall(NEXT)
    assert incoming.unreader.read_head() == NEXT
    incoming.unreader.take_buffered()
    incoming.unreader.unread(NEXT)
    incoming.client.close()

    assert incoming.unreader.read_head() == NEXT


@pytest.mark.parametrize(
    ("action", "disconnected"),
    [
        (lambda server, client: None, False),
        (lambda server, client: client.sendall(b"GET / HTTP/1.1"), False),
        (lambda server, client: client.close(), True),
        (lambda server, client: client.shutdown(socket.SHUT_WR), True),
        (lambda server, client: server.close(), True),
    ],
)
@pytest.mark.parametrize("timeout", [None, 15.0])
def test_a_disconnect_is_detected_without_waiting(
    action: Callable[[socket.socket, socket.socket], None], disconnected: bool, timeout: float | None
) -> None:
    server, client = socket.socketpair()
    with server, client:
        server.settimeout(timeout)
        action(server, client)

        assert is_disconnected(server) == disconnected


def test_without_gunicorns_socket_a_disconnect_is_not_detected() -> None:
    assert not is_disconnected(None)
