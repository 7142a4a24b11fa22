"""Malformed forms, in every mode: refused with a problem, and nothing is left behind."""

from __future__ import annotations

import pytest

from tests.bad_input.conftest import Ferry
from tests.bad_input.uploads import GOOD, assert_refused, upload
from tests.fakes import form, part

NOT_CHOSEN = part("file", b"", "")
MANY = [part(f"f{number}", b"") for number in range(1001)]
FORMS = {
    "no field file": (upload(form(part("other", b"x"))), 400, "missing-file"),
    "file in another field": (upload(form(part("other", b"x", "a"))), 400, "unexpected-file"),
    "two files": (upload(form(GOOD, GOOD)), 400, "too-many-files"),
    "two files behind a large one": (
        upload(form(part("file", b"x" * 900_000, "a"), part("file", b"y", "b"))), 400, "too-many-files",
    ),
    "an array of files": (
        upload(form(part("file[0]", b"x", "a"), part("file[99999999]", b"y", "b"))), 400, "too-many-files",
    ),
    "two empty file fields": (upload(form(NOT_CHOSEN, NOT_CHOSEN)), 400, "missing-file"),
    "an index that is not a number": (upload(form(part("file[1e9]", b"x", "a"))), 400, "unexpected-file"),
    "a field of 7000 brackets": (upload(form(part("file" + "[]" * 3500, b"x", "a"))), 400, "unexpected-file"),
    "an index of 7000 digits and no file": (upload(form(part(f"file[{'9' * 7000}]", b"x"))), 400, "missing-filename"),
    "expires_in behind the file": (upload(form(GOOD, part("expires_in", b"60"))), 400, "invalid-parameter"),
    "name behind a large file": (
        upload(form(part("file", b"x" * 900_000, "a"), part("name", b"b"))), 400, "invalid-parameter",
    ),
    "expires_in that is not a number": (upload(form(part("expires_in", b"\x00"), GOOD)), 400, "invalid-parameter"),
    "base64": (
        upload(form(b"Content-Transfer-Encoding: base64\r\n" + GOOD)), 415, "unsupported-media-type",
    ),
    "wrong boundary": (upload(form(GOOD).replace(b"boundary", b"other")), 400, "malformed-multipart"),
    "no boundary": (upload(form(GOOD), "Content-Type: multipart/form-data"), 400, "malformed-multipart"),
    "no final boundary": (upload(form(GOOD, end=b"")), 400, "malformed-multipart"),
    "not a form": (upload(b"\x00" * 5000), 400, "malformed-multipart"),
    "empty body": (upload(b""), 400, "malformed-multipart"),
    "form longer than its Content-Length": (upload(form(GOOD), length=len(form(GOOD)) - 9), 400, "malformed-multipart"),
    "1001 parts": (upload(form(*MANY, GOOD)), 413, "form-too-large"),
    "1001 parts behind": (upload(form(GOOD, *MANY)), 413, "form-too-large"),
    "long text field": (upload(form(part("text", b"x" * 500_001), GOOD)), 413, "form-too-large"),
    "65 headers in a part": (upload(form(b"X: y\r\n" * 64 + GOOD)), 400, "malformed-multipart"),
    "long header of a part": (upload(form(b"X: " + b"h" * 70_000 + b"\r\n" + GOOD)), 400, "malformed-multipart"),
}  # fmt: skip


@pytest.mark.parametrize("row", FORMS)
def test_a_malformed_form_is_refused(ferry: Ferry, row: str) -> None:
    assert_refused(ferry, FORMS[row])
