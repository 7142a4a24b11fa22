"""Responses to the HTTP client: parsed by the rules of HTTP, and retried if they are malformed or temporary."""

from __future__ import annotations

import pytest

from storage.base import StorageUnavailable
from storage.s3.http import Response
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


def test_a_permanent_failure_is_raised(serve: Serve) -> None:
    _, client = serve(*[None] * 5)

    with pytest.raises(StorageUnavailable):
        ask(client)


def test_the_last_response_is_returned(serve: Serve) -> None:
    _, client = serve(*[b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"] * 5)

    assert ask(client).status == 503
