"""Streaming responses of the HTTP client."""

from __future__ import annotations

import pytest

from storage.base import StorageUnavailable
from storage.s3 import connection
from storage.s3.body_reader import StreamingResponse
from storage.s3.http import HttpClient
from storage.s3.responses import Response
from tests.storage.raw_server import OK, Serve, ask

pytestmark = pytest.mark.usefixtures("impatient", "short_silence")


def opened(client: HttpClient) -> StreamingResponse:
    answer = client.open("/bucket/key", lambda: {"X-Signed": "yes"})
    assert isinstance(answer, StreamingResponse)
    return answer


def test_a_read_body_returns_its_connection_and_an_unread_one_closes_it(serve: Serve) -> None:
    server, client = serve(OK, OK, OK, OK)
    assert [b"".join(opened(client).body) for _ in range(2)] == [b"ok", b"ok"]
    assert server.connections == 1

    opened(client).body.close()
    assert b"".join(opened(client).body) == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize("status", [b"404 Not Found", b"403 No"])
def test_an_error_response_is_read_completely_and_keeps_the_connection(serve: Serve, status: bytes) -> None:
    server, client = serve(OK.replace(b"200 OK", status), OK)
    refused = client.open("/bucket/key", dict)

    assert refused == Response(int(status[:3]), {"etag": '"x"', "content-length": "2"}, b"ok")
    assert b"".join(opened(client).body) == b"ok"
    assert server.connections == 1


@pytest.mark.parametrize(
    "broken", [None, b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nclose"]
)
def test_temporary_failures_before_the_first_byte_are_retried(serve: Serve, broken: bytes | None) -> None:
    _, client = serve(broken, OK)

    assert b"".join(opened(client).body) == b"ok"


@pytest.mark.parametrize("ends", ["close", "keep-alive"])
def test_a_body_that_ends_too_early_or_stops_is_an_error(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.2)
    cut = f"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: {ends}\r\n\r\nonly".encode()
    server, client = serve(cut, OK)

    with pytest.raises(StorageUnavailable):
        list(opened(client).body)
    assert ask(client, attempts=1).status == 200
    assert server.connections == 2
