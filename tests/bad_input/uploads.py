"""Uploads whose path names no mode yet (`in_mode`), and the check that each mode refuses one."""

from __future__ import annotations

from tests.bad_input.conftest import LIMIT, RAW, Ferry
from tests.fakes import FORM, part
from tests.harness.raw_client import chunked, post

PROBLEM = "application/problem+json"
MODES = {"normal": 201, "async": 202, "celery": 202}
AS_FORM = f"Content-Type: {FORM}"
CHUNKED = "Transfer-Encoding: chunked"
GOOD = part("file", b"content", "a.txt", "text/plain")
NAMED = "/MODE_upload?name=a.pdf"


def upload(body: bytes, *headers: str, length: int | None = -1) -> bytes:
    """An upload of a form."""
    return post("/MODE_upload", body, *(headers or [AS_FORM]), length=length)


def raw(body: bytes, *headers: str, length: int | None = -1) -> bytes:
    """An upload of a raw body."""
    return post(NAMED, body, RAW, *headers, length=length)


def in_chunks(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """An upload of a raw body with Transfer-Encoding: chunked."""
    return raw(chunked(*chunks, end=end), CHUNKED, length=None)


def put(path: str, body: bytes, *headers: str) -> bytes:
    """An upload as `curl -T` sends it, without a Content-Type."""
    return post(path, body, *headers).replace(b"POST", b"PUT", 1)


def disposed(disposition: str, path: str = "") -> bytes:
    """A raw body whose Content-Disposition header, in Latin-1, has the filename."""
    placed = post(f"/MODE_upload{path}", b"x", RAW, "Content-Disposition: NAMED")
    return placed.replace(b"NAMED", disposition.encode("latin-1"), 1)


def in_mode(mode: str, request: bytes) -> bytes:
    """The request with the mode in its path."""
    return request.replace(b"MODE", mode.encode(), 1)


def assert_refused(ferry: Ferry, row: tuple[bytes, int, str], *, end: bool = False) -> None:
    """Send the row's request in every mode; its status and slug are the response's. `end`: close the sending side."""
    request, status, slug = row
    for mode in MODES:
        reply = ferry.ask(in_mode(mode, request), end=end)

        assert reply.outcome == (status, PROBLEM, slug), mode
        assert {"title", "detail", "instance", "status"} <= set(reply.json)
        assert reply.json.get("max_bytes") == {"too-large": LIMIT, "filename-too-long": 255}.get(slug)
        assert "server" not in reply.headers
