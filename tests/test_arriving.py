"""A body out of gunicorn's connection: what arrives is what was sent, and gunicorn's books stay right."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from flask import Request
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import SocketUnreader

from arriving import READ, body_of
from problems import IncompleteBody

NEXT = b"GET / HTTP/1.1\r\n\r\n"


class Arriving:
    """A request as gunicorn hands it over: `early` came along with its head, the rest is sent by `send`."""

    def __init__(self, length: int, early: bytes = b"") -> None:
        self.server, self.client = socket.socketpair()
        self.unreader = SocketUnreader(self.server)
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


@pytest.mark.parametrize("early", [0, 1, 5000, 2 * READ])
@pytest.mark.parametrize("size", [0, 1, READ - 1, READ, READ + 1, 3 * READ + 17])
def test_the_body_is_what_was_sent_and_the_next_request_is_left_alone(
    made: list[Arriving], size: int, early: int
) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    wire = content + NEXT
    made.append(arriving := Arriving(size, wire[:early]))
    arriving.send(wire[early:])
    assert b"".join(body_of(arriving.request)) == content
    assert arriving.body.read(1) == b""
    assert arriving.unreader.read(len(NEXT)) == NEXT


def test_no_piece_is_larger_than_what_is_asked_for_at_once(made: list[Arriving]) -> None:
    made.append(arriving := Arriving(3 * READ, b"abc"))
    arriving.send(b"x" * (3 * READ - 3))
    assert [len(piece) for piece in body_of(arriving.request)] == [3, READ, READ, READ - 3]


@pytest.mark.parametrize("size", [0, 1, READ, READ + 1])
def test_a_connection_that_ends_early_is_an_incomplete_body(made: list[Arriving], size: int) -> None:
    made.append(arriving := Arriving(2 * READ))
    arriving.send(b"x" * size, end=True)
    with pytest.raises(IncompleteBody, match=f"{size} of {2 * READ} bytes arrived"):
        list(body_of(arriving.request))


def test_what_was_not_read_is_still_owed(made: list[Arriving]) -> None:
    """gunicorn has to know how much of a refused body is still to come before the next request."""
    made.append(arriving := Arriving(2 * READ))
    arriving.send(b"x" * (2 * READ))
    next(body_of(arriving.request))
    assert len(arriving.body.read(2 * READ)) == READ
