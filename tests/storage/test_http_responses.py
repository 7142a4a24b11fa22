"""Responses to the HTTP client: parsed by the rules of HTTP, and retried if they are malformed or temporary."""

from __future__ import annotations

import time

import pytest

from storage.base import StorageUnavailable
from storage.s3.responses import Response
from tests.storage.raw_server import OK, Serve, ask

pytestmark = pytest.mark.usefixtures("impatient", "short_silence")


@pytest.mark.parametrize(
    ("method", "sent", "expected"),
    [
        ("PUT", OK, Response(200, {"etag": '"x"', "content-length": "2"}, b"ok")),
        ("PUT", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Response(200, {"etag": '"x"', "content-length": "2"}, b"ok")),
        ("PUT", b"HTTP/1.1 204 No Content\r\n\r\n", Response(204, {}, b"")),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", Response(200, {"content-length": "99"}, b"")),
        (
            "PUT",
            b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n",
            Response(403, {"transfer-encoding": "chunked"}, b"abcde"),
        ),
        ("PUT", b"HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nall", Response(200, {"connection": "close"}, b"all")),
    ],
)
def test_a_response_is_read_by_the_rules_of_http(serve: Serve, method: str, sent: bytes, expected: Response) -> None:
    _, client = serve(sent)

    assert ask(client, method) == expected


@pytest.mark.parametrize(
    "broken",
    [
        None,
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nconnection: close\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_temporary_failures_are_retried(serve: Serve, broken: bytes | None) -> None:
    server, client = serve(broken or None, OK)

    assert ask(client, body=b"again").status == 200
    assert server.requests[-1].endswith(b"again")


@pytest.mark.parametrize(
    "broken",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 8000 + OK,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    ],
)
def test_an_invalid_or_endless_head_is_no_response(serve: Serve, broken: bytes) -> None:
    _, client = serve(broken)
    began = time.monotonic()

    with pytest.raises(StorageUnavailable, match="closed the connection"):
        ask(client, attempts=1)
    assert time.monotonic() - began < 1, "no time-out was needed"


@pytest.mark.parametrize(
    ("method", "sent"),
    [
        ("PUT", OK + OK),
        ("PUT", OK + b"\x00garbage"),
        ("HEAD", OK),
        ("HEAD", b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk"),
    ],
)
def test_a_connection_with_more_than_the_response_is_not_reused(serve: Serve, method: str, sent: bytes) -> None:
    server, client = serve(sent, OK)

    assert ask(client, method).status == int(sent[9:12])
    assert ask(client).status == 200
    assert server.connections == 2


def test_repeated_headers_are_joined_and_trailers_ignored(serve: Serve) -> None:
    _, client = serve(
        b"HTTP/1.1 200 OK\r\nVary: a\r\nvary: b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nETag: late\r\n\r\n"
    )

    assert ask(client).headers == {"vary": "a, b", "transfer-encoding": "chunked"}


def test_a_permanent_failure_is_raised(serve: Serve) -> None:
    _, client = serve(*[None] * 5)

    with pytest.raises(StorageUnavailable):
        ask(client)


def test_the_last_response_is_returned(serve: Serve) -> None:
    _, client = serve(*[b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"] * 5)

    assert ask(client).status == 503
