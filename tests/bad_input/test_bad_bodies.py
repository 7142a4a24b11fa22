"""Malformed and cut bodies, in every mode: refused with a problem, and nothing is left behind."""

from __future__ import annotations

import pytest

from tests.bad_input.conftest import LIMIT, Ferry
from tests.bad_input.uploads import CHUNKED, GOOD, MODES, PROBLEM, assert_refused, in_chunks, in_mode, raw, upload
from tests.fakes import form, part
from tests.harness.raw_client import RawClient, chunked, get

BODIES = {
    "chunks over the limit": (in_chunks(bytes(LIMIT), b"x"), 413, "too-large"),
    "invalid chunk size": (in_chunks(b"x", end=b"zz\r\nx\r\n0\r\n\r\n"), 400, "bad-request"),
    "chunk longer than its size": (in_chunks(end=b"1\r\nxyz\r\n0\r\n\r\n"), 400, "bad-request"),
    "negative chunk": (in_chunks(end=b"-1\r\nx\r\n0\r\n\r\n"), 400, "bad-request"),
    "endless chunk size": (in_chunks(end=b"0" * 20_000), 400, "bad-request"),
    "length and chunks": (raw(chunked(b"x"), CHUNKED), 400, "bad-request"),
    "chunked twice": (raw(chunked(b"x"), "Transfer-Encoding: chunked, chunked", length=None), 400, "bad-request"),
    "identity": (raw(b"x", "Transfer-Encoding: identity", length=None), 400, "bad-request"),
    "gzip, chunked": (
        raw(chunked(b"x"), "Transfer-Encoding: gzip, chunked", length=None), 415, "unsupported-media-type",
    ),
    "unknown transfer coding": (raw(b"x", "Transfer-Encoding: rot13", length=None), 501, "transfer-coding-unknown"),
    "gzip": (raw(b"\x1f\x8b", "Content-Encoding: gzip"), 415, "unsupported-media-type"),
    "length twice": (raw(b"x", "Content-Length: 2"), 400, "bad-request"),
    "length negative": (raw(b"", length=-5), 400, "bad-request"),
    "length with a sign": (raw(b"x", "Content-Length: +1", length=None), 400, "bad-request"),
    "length in words": (raw(b"x", "Content-Length: abc", length=None), 400, "bad-request"),
    "length of 10^30": (raw(b"x", f"Content-Length: 1{'0' * 30}", length=None), 413, "too-large"),
    "neither length nor chunks": (raw(b"", length=None), 411, "length-required"),
    "one byte over": (raw(bytes(LIMIT + 1)), 413, "too-large"),
    "one byte over in a form": (upload(form(part("file", bytes(LIMIT + 1), "a"))), 413, "too-large"),
}  # fmt: skip


@pytest.mark.parametrize("row", BODIES)
def test_a_malformed_body_is_refused(ferry: Ferry, row: str) -> None:
    assert_refused(ferry, BODIES[row])


CUT = {
    "form": (upload(form(GOOD)[:-20], length=len(form(GOOD))), 400, "incomplete-body"),
    "form in its headers": (upload(form(GOOD)[:30], length=len(form(GOOD))), 400, "incomplete-body"),
    "raw body": (raw(b"half", length=8), 400, "incomplete-body"),
    "raw body without a byte": (raw(b"", length=8), 400, "incomplete-body"),
    "chunks": (in_chunks(b"half", end=b""), 400, "incomplete-body"),
    "in a chunk": (in_chunks(end=b"8\r\nhalf"), 400, "incomplete-body"),
    "in a chunk's size": (in_chunks(b"half", end=b"8"), 400, "incomplete-body"),
    "before the last line": (in_chunks(b"half", end=b"0\r\n"), 400, "incomplete-body"),
}


@pytest.mark.parametrize("row", CUT)
def test_a_cut_body_is_refused(ferry: Ferry, row: str) -> None:
    assert_refused(ferry, CUT[row], end=True)


@pytest.mark.parametrize("mode", MODES)
def test_bytes_after_a_body_are_a_bad_request(ferry: Ferry, mode: str) -> None:
    """The declared bytes are the file; the rest is parsed as the next request."""
    with RawClient(ferry.ports.web) as wire:
        wire.send(in_mode(mode, raw(b"file and more\r\n\r\n", length=4)))
        file, rest = wire.reply(), wire.reply()
        assert wire.ended()

    assert ferry.keep(file)["size"] == 4
    assert rest.outcome == (400, PROBLEM, "bad-request")


@pytest.mark.parametrize("mode", MODES)
def test_two_requests_on_one_connection_are_separated(ferry: Ferry, mode: str) -> None:
    """The start of the second head is sent with the first body, its end later."""
    head = get("/healthz")
    with RawClient(ferry.ports.web) as wire:
        wire.send(in_mode(mode, raw(b"content")) + head[:20])
        first = wire.reply()
        wire.send(head[20:])
        second = wire.reply()

    assert ferry.keep(first)["size"] == 7
    assert second.status == 200
