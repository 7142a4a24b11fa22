"""Uploads with a refused type, parameter, header or key, in every mode: a problem, and nothing is left behind."""

from __future__ import annotations

import uuid

import pytest

from tests.bad_input.conftest import RAW, Ferry
from tests.bad_input.uploads import GOOD, MODES, NAMED, PROBLEM, assert_refused, in_mode, raw, upload
from tests.fakes import form, part
from tests.harness.raw_client import post

PAGE = upload(form(part("file", b"<!DOCTYPE html>", "a.png", "image/png")))
DRAWING = upload(form(part("file", b"<svg xmlns='x'>", "x.php.jpg", "image/jpeg")))
UPLOADS = {
    "page as picture": (PAGE, 415, "type-not-allowed"),
    "SVG as picture": (DRAWING, 415, "type-not-allowed"),
    "program as document": (raw(b"MZ" + bytes(70)), 415, "type-not-allowed"),
    "unknown parameter": (post("/MODE_upload?name=a&expire=60", b"x", RAW), 400, "invalid-parameter"),
    "a parameter twice": (post("/MODE_upload?name=a&name=a", b"x", RAW), 400, "invalid-parameter"),
    "header of 9 KB": (raw(b"x", f"X: {'h' * 9000}"), 431, "headers-too-large"),
    "101 headers": (raw(b"x", *(f"X-{number}: h" for number in range(101))), 431, "headers-too-large"),
    "head without an end": (post(NAMED, b"", *[f"X: {'h' * 8000}"] * 5)[:-2], 431, "headers-too-large"),
    "address of 5 KB": (post(f"/MODE_upload?name={'n' * 5000}", b"x", RAW), 414, "uri-too-long"),
    "another expectation": (raw(b"x", "Expect: a miracle"), 417, "expectation-failed"),
    "chunk, by fields": (
        upload(form(part("dzchunkindex", b"0"), part("dztotalchunkcount", b"2"), GOOD)), 400, "chunked-upload",
    ),
    "chunk, by fields behind the file": (
        upload(form(part("file", b"x" * 500_000, "a"), part("chunk", b"0"), part("chunks", b"2"))),
        400, "chunked-upload",
    ),
    "chunk, by query": (post("/MODE_upload?name=a&chunk=0&chunks=2", b"x", RAW), 400, "chunked-upload"),
    "chunk, by Content-Range": (raw(b"x", "Content-Range: bytes 0-0/3000"), 400, "chunked-upload"),
    "chunk, tus": (post(NAMED, b"", "Tus-Resumable: 1.0.0", "Upload-Length: 9", length=None), 400, "chunked-upload"),
    "chunk, RUFH": (raw(b"x", "Upload-Complete: ?0"), 400, "chunked-upload"),
    "empty key": (raw(b"x", "Idempotency-Key:"), 400, "idempotency-key-invalid"),
    "long key": (raw(b"x", f"Idempotency-Key: {'k' * 256}"), 400, "idempotency-key-invalid"),
    "key with a tab": (raw(b"x", "Idempotency-Key: a\tb"), 400, "idempotency-key-invalid"),
    "key with a bell": (raw(b"x", "Idempotency-Key: a\ab"), 400, "bad-request"),
}  # fmt: skip


@pytest.mark.parametrize("row", UPLOADS)
def test_an_invalid_upload_is_refused(ferry: Ferry, row: str) -> None:
    assert_refused(ferry, UPLOADS[row])


@pytest.mark.parametrize("mode", MODES)
def test_an_idempotency_key_identifies_one_upload(ferry: Ferry, mode: str) -> None:
    """The same request again returns the first file; another one is refused, and its body is read."""
    key = f"Idempotency-Key: {uuid.uuid4()}"
    first, again, other = (ferry.ask(in_mode(mode, raw(body, key))) for body in (b"one", b"one", b"another"))

    assert (first.status, again.status) == (MODES[mode], MODES[mode])
    assert again.json["id"] == first.json["id"]
    assert other.outcome == (422, PROBLEM, "idempotency-key-reused")
    ferry.keep(first)
