"""A body out of gunicorn's connection: what arrives is what was sent, and gunicorn's books stay right."""

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
from server.body import READ_SIZE, ExpectedBody, Unreader, has_unread_body, is_disconnected, iter_body
from server.min_rate import MinRate

NEXT = b"GET / HTTP/1.1\r\n\r\n"


class Arriving:
    """A request as gunicorn hands it over: `early` came along with its head, the rest is sent by `send`."""

    def __init__(self, length: int, early: bytes = b"") -> None:
        self.server, self.client = socket.socketpair()
        self.unreader = Unreader(self.server)
        self.unreader.unread(early)
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
def made() -> Iterator[list[Arriving]]:
    made: list[Arriving] = []
    yield made
    for each in made:
        each.server.close()
        each.client.close()


@pytest.mark.parametrize("early", [0, 1, 5000, 2 * READ_SIZE])
@pytest.mark.parametrize("size", [0, 1, READ_SIZE - 1, READ_SIZE, READ_SIZE + 1, 3 * READ_SIZE + 17])
def test_the_body_is_what_was_sent_and_the_next_request_is_left_alone(
    made: list[Arriving], size: int, early: int
) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    wire = content + NEXT
    made.append(arriving := Arriving(size, wire[:early]))
    arriving.send(wire[early:])
    assert b"".join(iter_body(arriving.request)) == content
    assert arriving.body.read(1) == b""
    assert arriving.unreader.read(len(NEXT)) == NEXT


def test_no_piece_is_larger_than_what_is_asked_for_at_once(made: list[Arriving]) -> None:
    made.append(arriving := Arriving(3 * READ_SIZE, b"abc"))
    arriving.send(b"x" * (3 * READ_SIZE - 3))
    assert [len(piece) for piece in iter_body(arriving.request)] == [3, READ_SIZE, READ_SIZE, READ_SIZE - 3]


@pytest.mark.parametrize("size", [0, 1, READ_SIZE, READ_SIZE + 1])
def test_a_connection_that_ends_early_is_an_incomplete_body(made: list[Arriving], size: int) -> None:
    made.append(arriving := Arriving(2 * READ_SIZE))
    arriving.send(b"x" * size, end=True)
    with pytest.raises(IncompleteBody, match=f"{size} of {2 * READ_SIZE} bytes arrived"):
        list(iter_body(arriving.request))


def test_what_was_not_read_is_still_owed(made: list[Arriving]) -> None:
    """gunicorn has to know how much of a refused body is still to come before the next request."""
    made.append(arriving := Arriving(2 * READ_SIZE))
    arriving.send(b"x" * (2 * READ_SIZE))
    next(iter_body(arriving.request))
    assert len(arriving.body.read(2 * READ_SIZE)) == READ_SIZE


def test_a_connection_that_gives_up_is_asked_again_as_long_as_the_pace_allows(made: list[Arriving]) -> None:
    made.append(arriving := Arriving(8))
    arriving.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20_000))
    arriving.unreader.pace = MinRate(0.1, 1)
    arriving.send(b"half")
    began = time.monotonic()

    with pytest.raises(RequestTimeout):
        list(iter_body(arriving.request))
    assert 0.1 <= time.monotonic() - began < 1


def chunked(wire: bytes) -> Message:
    """A request with these chunks, as gunicorn has parsed it."""
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
def test_chunks_are_whole_or_refused(wire: bytes, error: type[Exception] | None) -> None:
    message = chunked(wire)
    with message.server:
        if error:
            with pytest.raises(error):
                list(iter_body(message.flask))
        else:
            assert b"".join(iter_body(message.flask)) == b"whole"
        assert has_unread_body(message.body) == (error is not None)


@pytest.mark.parametrize(("early", "owed"), [(0, True), (7, True), (8, False), (9, False)])
def test_a_body_is_owed_until_all_of_it_has_come(made: list[Arriving], early: int, owed: bool) -> None:
    made.append(arriving := Arriving(8, b"x" * early))

    assert has_unread_body(arriving.body) is owed


def test_whoever_waits_to_be_asked_is_asked_once(made: list[Arriving]) -> None:
    made.append(arriving := Arriving(8))
    body = ExpectedBody(arriving.body.reader, arriving.server)
    arriving.request.environ["wsgi.input"] = body
    arriving.send(b"contents")

    assert b"".join(iter_body(arriving.request)) == b"contents"
    assert body.read(1) == b""
    assert arriving.client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("wire", "early"),
    [(b"", b""), (b"GET", b"GET"), (None, None), (b"G" * 10_000, b"G" * 8192)],
)
def test_a_head_is_read_without_waiting(made: list[Arriving], wire: bytes | None, early: bytes | None) -> None:
    made.append(arriving := Arriving(0))
    arriving.client.close() if wire is None else arriving.client.sendall(wire)

    assert arriving.unreader.early() == early


def test_a_head_in_pieces_is_all_there(made: list[Arriving]) -> None:
    made.append(arriving := Arriving(0))
    for end in range(1, len(NEXT) + 1):
        arriving.client.sendall(NEXT[end - 1 : end])
        assert arriving.unreader.early() == NEXT[:end]


def test_a_head_that_is_there_is_found_though_the_client_has_left(made: list[Arriving]) -> None:
    """It is as long as the one before, and came along with that one's body."""
    made.append(arriving := Arriving(0))
    arriving.client.sendall(NEXT)
    assert arriving.unreader.early() == NEXT
    arriving.unreader.take_buffered()
    arriving.unreader.unread(NEXT)
    arriving.client.close()

    assert arriving.unreader.early() == NEXT


@pytest.mark.parametrize(
    ("happens", "left"),
    [
        (lambda here, there: None, False),
        (lambda here, there: there.sendall(b"GET / HTTP/1.1"), False),
        (lambda here, there: there.close(), True),
        (lambda here, there: there.shutdown(socket.SHUT_WR), True),
        (lambda here, there: here.close(), True),
    ],
)
@pytest.mark.parametrize("timeout", [None, 15.0])
def test_a_client_that_has_left_is_seen_without_waiting(
    happens: Callable[[socket.socket, socket.socket], None], left: bool, timeout: float | None
) -> None:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(timeout)
        happens(here, there)

        assert is_disconnected(here) == left


def test_whether_the_client_of_another_server_has_left_is_not_known() -> None:
    assert not is_disconnected(None)
