"""Invalid requests other than uploads, over real sockets: refused with a problem that repeats nothing of them."""

from __future__ import annotations

import pytest

from tests.bad_input.conftest import Ferry
from tests.harness.raw_client import RawClient, get, post

PROBLEM = "application/problem+json"
UNKNOWN = "01a1f879-1306-720a-b077-d2a2b2fc6e4b"
MARK = "s3cr3t<script>"

REFUSED = {
    "address of 5 KB": (get("/" + "x" * 5000), 414, "uri-too-long"),
    "address without an end": (b"GET /" + b"x" * 5000, 414, "uri-too-long"),
    "header of 9 KB": (get("/", f"X: {MARK}{'h' * 9000}"), 431, "headers-too-large"),
    "65 headers": (get("/", *["X: h"] * 65), 431, "headers-too-large"),
    "headers without an end": (get("/", *[f"X: {'h' * 8000}"] * 5)[:-2], 431, "headers-too-large"),
    "not HTTP": (f"{MARK}\r\n\r\n".encode(), 400, "bad-request"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad-request"),
    "lines that end in LF": (b"GET / HTTP/1.1\nHost: f\n\n", 400, "bad-request"),
    "a header that ends in LF": (b"GET / HTTP/1.1\r\nHost: f\n", 400, "bad-request"),
    "folded header": (get("/", "X: a", " b"), 400, "bad-request"),
    "space before the colon": (get("/", f"{MARK} : b"), 400, "bad-request"),
    "NUL in a header": (get("/", "X: a\0b"), 400, "bad-request"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "bad-request"),
    "host only in the address": (b"GET http://localhost/healthz HTTP/1.1\r\n\r\n", 400, "bad-request"),
    "two hosts": (get("/", "Host: other"), 400, "bad-request"),
    "the same host twice": (get("/", "Host: localhost"), 400, "bad-request"),
    "empty lines in front": (b"\r\n\r\n" + get("/"), 400, "bad-request"),
    "bytes in the address": (b"GET /\xff HTTP/1.1\r\nHost: f\r\n\r\n", 400, "bad-request"),
    "method in lower case": (get("/", method="get"), 400, "bad-request"),
    "HTTP/2.0": (get("/", version="HTTP/2.0"), 505, "version-not-supported"),
    "HTTP/9.9": (get("/", version="HTTP/9.9"), 505, "version-not-supported"),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400, "bad-request"),
    "another host": (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400, "untrusted-host"),
    "TRACE": (get("/", method="TRACE"), 405, "method-not-allowed"),
    "CONNECT": (get("ferry:80", method="CONNECT"), 404, "not-found"),
    "unknown method": (get("/files", method="BREW"), 405, "method-not-allowed"),
    "GET an upload": (get("/normal_upload"), 405, "method-not-allowed"),
    "DELETE all": (get("/files", method="DELETE"), 405, "method-not-allowed"),
    "unknown address": (get(f"/{MARK}"), 404, "not-found"),
    "unknown problem": (get("/problems/nothing"), 404, "not-found"),
    "folder of the server": (get("/static/../config.py"), 404, "not-found"),
    "two slashes": (get("/files//x"), 404, "not-found"),
    "address without a path": (get("http://localhost"), 404, "not-found"),
    "unknown id": (get(f"/files/{UNKNOWN}"), 404, "not-found"),
    "upper case": (get(f"/files/{UNKNOWN.upper()}"), 404, "not-found"),
    "word": (get("/files/abc"), 404, "not-found"),
    "-1": (get("/files/-1"), 404, "not-found"),
    "2^63": (get(f"/files/{2**63}"), 404, "not-found"),
    "NUL": (get("/files/%00"), 404, "not-found"),
    "bytes": (get("/files/%ff%fe"), 404, "not-found"),
    "SQL": (get("/files/1%20OR%201=1"), 404, "not-found"),
    "long": (get(f"/files/{'x' * 4000}"), 404, "not-found"),
    "retry unknown": (post(f"/files/{UNKNOWN}/retry", b""), 404, "not-found"),
    "retry NUL": (post("/files/%00/retry", b""), 404, "not-found"),
    "unknown key": (get("/files", "Authorization: Bearer ferry_0"), 401, "unauthorized"),
    "another scheme": (get("/files", "Authorization: Basic YTpi"), 401, "unauthorized"),
    "another site": (post("/files/x/retry", b"", "Sec-Fetch-Site: cross-site"), 403, "cross-site-request"),
    "limit 0": (get("/files?limit=0"), 400, "invalid-parameter"),
    "limit -1": (get("/files?limit=-1"), 400, "invalid-parameter"),
    "limit abc": (get("/files?limit=abc"), 400, "invalid-parameter"),
    "limit 10^9": (get("/files?limit=1000000000"), 400, "invalid-parameter"),
    "limit in other digits": (get("/files?limit=%D9%A3"), 400, "invalid-parameter"),
    "cursor": (get(f"/files?cursor={MARK}"), 400, "invalid-parameter"),
    "status": (get("/files?status=DONE"), 400, "invalid-parameter"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_an_invalid_request_is_refused(ferry: Ferry, row: str) -> None:
    request, status, slug = REFUSED[row]
    reply = ferry.ask(request)

    assert reply.outcome == (status, PROBLEM, slug)
    assert {"title", "detail", "instance", "status"} <= set(reply.json)
    assert reply.json["request_id"] == reply.headers["x-request-id"]
    assert "server" not in reply.headers
    assert (status == 405) == ("allow" in reply.headers)
    assert MARK.encode() not in reply.body or reply.json["instance"] == f"/{MARK}"


def test_unknown_and_malformed_ids_get_the_same_response(ferry: Ferry) -> None:
    """Only the address and the request id differ."""
    ids = [UNKNOWN, "abc", "-1", str(2**63), "1%20OR%201=1"]
    replies = [ferry.ask(get(f"/files/{id}")) for id in ids]

    assert len({str({**reply.json, "instance": "", "request_id": ""}) for reply in replies}) == 1


@pytest.mark.parametrize("row", ["HTTP/2.0", "header of 9 KB", "not HTTP", "address of 5 KB"])
def test_an_unparsable_request_closes_its_connection(ferry: Ferry, row: str) -> None:
    with RawClient(ferry.ports.web) as wire:
        wire.send(REFUSED[row][0] + get("/healthz"))

        assert wire.reply().headers["connection"] == "close"
        assert wire.ended()


@pytest.mark.parametrize("row", ["HTTP/2.0", "headers without an end", "not HTTP", "address of 5 KB"])
def test_an_unparsable_request_is_logged_with_the_id_of_its_response(ferry: Ferry, row: str) -> None:
    request, _, slug = REFUSED[row]
    id = ferry.ask(request).headers["x-request-id"]

    assert f"[{id}]: request.refused: {slug}, address 127.0.0.1" in ferry.log("web").read_text()


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_valid_requests_of_both_versions_are_served(ferry: Ferry, version: str) -> None:
    with RawClient(ferry.ports.web) as wire:
        wire.send(b"\r\n" + get("/healthz", version=version))
        reply = wire.reply()

        assert (reply.status, reply.json) == (200, {"status": "ok"})
        assert reply.headers["connection"] == ("close" if version == "HTTP/1.0" else "keep-alive")


def test_http_1_0_needs_no_host(ferry: Ferry) -> None:
    assert ferry.ask(b"GET /files HTTP/1.0\r\n\r\n").status == 200


def test_a_request_sent_byte_by_byte_is_served(ferry: Ferry) -> None:
    request = get("/healthz") * 2
    with RawClient(ferry.ports.web) as wire:
        for byte in request:
            wire.send(bytes([byte]))

        assert [wire.reply().status for _ in range(2)] == [200, 200]
