"""A response before the whole body was read: the client receives it, and the body is not parsed as a request."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from server.lingering import LINGER_BYTES
from tests.bad_input.conftest import LIMIT, RAW, STALL, Ferry
from tests.fakes import FORM, form, part
from tests.harness.raw_client import RawClient, get, post

MUCH = 50_000_000
TO = "/normal_upload?name=a.pdf"
EXPECT = "Expect: 100-continue"
GZIP = "Content-Encoding: gzip"


def too_large(length: int) -> bytes:
    return post(TO, b"", RAW, length=length)


@pytest.mark.parametrize("kind", ["raw", "form", "chunked", "compressed"])
def test_a_client_that_sends_everything_before_it_reads_gets_the_response(ferry: Ferry, kind: str) -> None:
    requests_ = {
        "raw": post(TO, bytes(MUCH), RAW),
        "form": post("/async_upload", form(part("file", bytes(MUCH), "a")), f"Content-Type: {FORM}"),
        "chunked": post(TO, b"%x\r\n" % MUCH + bytes(MUCH), RAW, "Transfer-Encoding: chunked", length=None),
        "compressed": post(TO, bytes(MUCH), GZIP),
    }
    with RawClient(ferry.ports.web) as wire:
        wire.send(requests_[kind])
        reply = wire.reply()

        assert reply.status == (415 if kind == "compressed" else 413)
        assert reply.json.get("max_bytes") == (None if kind == "compressed" else LIMIT)
        assert reply.headers["connection"] == "close"
        assert wire.ended()


@pytest.mark.parametrize("body", [bytes(MUCH), "generator"], ids=["bytes", "generator"])
def test_requests_gets_the_response(ferry: Ferry, body: bytes | str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            yield bytes(1_000_000)

    data = pieces() if body == "generator" else body
    answer = requests.post(ferry.url + TO, data=data, headers={"Content-Type": "application/pdf"}, timeout=10)

    assert (answer.status_code, answer.json()["max_bytes"]) == (413, LIMIT)


@pytest.mark.parametrize("options", [[], ["-H", "Expect:"], ["--http1.0"]], ids=["expects", "does not", "HTTP/1.0"])
def test_curl_gets_the_response(ferry: Ferry, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "large").write_bytes(bytes(MUCH))
    argv = ["curl", "-sS", *options, "-F", f"file=@{tmp_path}/large", f"{ferry.url}/async_upload"]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=10)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert '"/problems/too-large"' in ran.stdout


def test_a_refused_expectation_gets_no_100_continue(ferry: Ferry) -> None:
    with RawClient(ferry.ports.web) as wire:
        wire.send(post(TO, b"", RAW, EXPECT, length=LIMIT + 1))

        assert wire.reply().outcome[::2] == (413, "too-large")
        assert wire.ended()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (post(TO, b"", RAW, EXPECT, length=7), b"content"),
        (post(TO, b"", RAW, EXPECT, "Transfer-Encoding: chunked", length=None), b"7\r\ncontent\r\n0\r\n\r\n"),
    ],
    ids=["length", "chunked"],
)
def test_an_expectation_gets_one_100_continue(ferry: Ferry, head: bytes, body: bytes) -> None:
    with RawClient(ferry.ports.web) as wire:
        wire.send(head)
        assert wire.reply().status == 100
        wire.send(body)
        file = wire.reply()
        wire.send(get("/healthz", EXPECT))
        assert wire.reply().json == {"status": "ok"}

    assert ferry.keep(file)["size"] == 7


@pytest.mark.parametrize("length", [0, 7])
def test_a_client_that_does_not_wait_for_100_continue_is_served(ferry: Ferry, length: int) -> None:
    with RawClient(ferry.ports.web) as wire:
        wire.send(post(TO, b"content"[:length], RAW, EXPECT) + get("/healthz"))
        first, second = wire.reply(), wire.reply()

    assert ferry.keep(first)["size"] == length
    assert second.json == {"status": "ok"}


@pytest.mark.parametrize("gap", [0, 0.1])
def test_an_unread_body_is_never_the_next_request(ferry: Ferry, gap: float) -> None:
    inside = get("/healthz") * 3000
    with RawClient(ferry.ports.web) as wire:
        wire.send(post(TO, b"", GZIP, length=len(inside)))
        time.sleep(gap)
        wire.send(inside)

        assert wire.reply().outcome[::2] == (415, "unsupported-media-type")
        assert wire.ended()


def test_an_unread_body_that_has_arrived_keeps_the_connection_open(ferry: Ferry) -> None:
    with RawClient(ferry.ports.web) as wire:
        wire.send(post("/files/unknown/retry", b"{}", "Content-Type: application/json") + get("/healthz"))

        assert wire.reply().headers["connection"] == "keep-alive"
        assert wire.reply().json == {"status": "ok"}


def test_a_client_that_never_stops_sending_is_disconnected_and_blocks_no_other_client(ferry: Ferry) -> None:
    with RawClient(ferry.ports.web) as wire:
        wire.send(too_large(10**12))
        began = time.monotonic()
        assert ferry.ask(get("/healthz")).status == 200
        assert time.monotonic() - began < STALL

        with pytest.raises(ConnectionError):
            [wire.send(bytes(MUCH)) for _ in range(2 * LINGER_BYTES // MUCH)]


def test_a_client_that_never_disconnects_is_disconnected(ferry: Ferry) -> None:
    with RawClient(ferry.ports.web) as wire:
        wire.send(too_large(10**12))
        assert wire.reply().status == 413
        began = time.monotonic()

        with pytest.raises(ConnectionError):
            [wire.send(b"x") or time.sleep(0.05) for _ in range(100)]
        assert STALL <= time.monotonic() - began < STALL + 1.5
