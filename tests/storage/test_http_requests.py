"""Requests of the HTTP client and its reused connections."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from storage.base import StorageUnavailable
from storage.s3 import connection
from storage.s3.http import HttpClient
from tests.storage.raw_server import OK, RawServer, Serve, ask

pytestmark = pytest.mark.usefixtures("impatient", "short_silence")


def test_a_request_has_its_required_headers(serve: Serve) -> None:
    server, client = serve(OK, OK)
    ask(client, "PUT", b"body")
    ask(client, "HEAD")

    put, head = server.requests
    assert put.split(b"\r\n")[0] == b"PUT /bucket/key HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}".encode() in put
    assert b"X-Signed: yes" in put
    assert b"Content-Length: 4" in put
    assert put.endswith(b"\r\n\r\nbody")
    assert b"Content-Length" not in head


def test_an_empty_object_has_a_length(serve: Serve) -> None:
    server, client = serve(OK)
    ask(client, "PUT", b"")

    assert b"Content-Length: 0" in server.requests[0]


@pytest.mark.parametrize(
    ("netloc", "scheme", "header"),
    [("s3.example.com", "https", "s3.example.com"), ("s3:9000", "http", "s3:9000"), ("s3:443", "https", "s3")],
)
def test_the_host_header_equals_the_signed_one(netloc: str, scheme: str, header: str) -> None:
    assert HttpClient(scheme, netloc)._host_header == header


@pytest.mark.parametrize("value", ["a\r\nX-Injected: b", "a\nb", "a\rb"])
def test_a_header_with_a_line_break_is_not_sent(serve: Serve, value: str) -> None:
    server, client = serve(OK)

    with pytest.raises(ValueError, match="line break"):
        client.request("PUT", "/bucket/key", lambda: {"Content-Disposition": value})
    assert server.requests == []


def test_a_small_body_leaves_with_its_head(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    send = connection._send_some
    monkeypatch.setattr(connection, "_send_some", lambda sock, data: sent.append(len(data)) or send(sock, data))  # type: ignore[func-returns-value]
    server, client = serve(OK)
    ask(client, body=bytes(4096))

    assert sent == [len(server.requests[0])]


def test_an_ipv6_address_is_reached() -> None:
    server = RawServer(OK, host="::1")
    client = HttpClient("http", f"[::1]:{server.port}")

    assert ask(client).status == 200
    assert f"Host: [::1]:{server.port}".encode() in server.requests[0]
    client.close()
    server.close()


def test_connections_are_reused(serve: Serve) -> None:
    server, client = serve(OK, OK, OK)
    for _ in range(3):
        ask(client)

    assert server.connections == 1


def test_a_closed_idle_connection_costs_no_attempt(serve: Serve) -> None:
    server, client = serve(OK + b"", None, OK)
    ask(client)
    with pytest.raises(StorageUnavailable):
        ask(client, attempts=1)

    assert ask(client, attempts=1).status == 200
    assert server.connections == 2


def test_tls_requires_a_trusted_certificate(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server = RawServer(OK, OK, OK, tls=tls)
    trusting = HttpClient("https", f"127.0.0.1:{server.port}", str(certificate))
    wary = HttpClient("https", f"127.0.0.1:{server.port}")

    assert ask(trusting, body=bytes(3_000_000)).status == 200
    assert ask(trusting).status == 200
    assert server.connections == 1
    trusting.close()
    with pytest.raises(StorageUnavailable):
        ask(wary, attempts=1)
    server.close()
