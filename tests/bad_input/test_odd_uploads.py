"""Unusual but valid uploads, in every mode: stored under the expected name."""

from __future__ import annotations

import pytest

from tests.bad_input.conftest import LIMIT, RAW, Ferry
from tests.bad_input.uploads import AS_FORM, GOOD, MODES, NAMED, disposed, in_chunks, in_mode, put, raw, upload
from tests.fakes import form, part
from tests.harness.raw_client import post

ACCEPTED = {
    "empty file": (upload(form(part("file", b"", "a"))), "a", 0),
    "empty raw file": (raw(b""), "a.pdf", 0),
    "empty file of PUT": (put("/MODE_upload/a", b""), "a", 0),
    "emoji in the path": (put("/MODE_upload/%F0%9F%8E%89.txt", b"x"), "\N{PARTY POPPER}.txt", 1),
    "filename* in a header": (disposed("attachment; filename*=UTF-8''%E2%82%AC; filename=b"), "\u20ac", 1),
    "CRLF in the path": (put("/MODE_upload/a%0d%0aX-Evil:%20b", b"x"), "aX-Evil: b", 1),
    "broken escape in the path": (put("/MODE_upload/100%zz", b"x"), "100%zz", 1),
    "folders in the path": (put("/MODE_upload//a/../..%2Fetc/passwd", b"x"), "passwd", 1),
    "no type": (post(NAMED, b"x"), "a.pdf", 1),
    "JSON": (post(NAMED, b"{}", "Content-Type: application/json"), "a.pdf", 2),
    "urlencoded": (post(NAMED, b"a=b", "Content-Type: application/x-www-form-urlencoded"), "a.pdf", 3),
    "a form under a name in the path": (
        post("/MODE_upload/b.txt", form(GOOD), AS_FORM).replace(b"POST", b"PUT", 1),
        "b.txt",
        7,
    ),
    "empty chunks": (in_chunks(), "a.pdf", 0),
    "emoji": (upload(form(part("file", b"x", "\N{PARTY POPPER}.txt"))), "\N{PARTY POPPER}.txt", 1),
    "decomposed": (upload(form(part("file", b"x", "e\u0301.txt"))), "\u00e9.txt", 1),
    "filename*": (upload(form(part("file", b"x", "a\"; filename*=UTF-8''%E2%82%AC; x=\""))), "\u20ac", 1),
    "encoded word with a slash": (upload(form(part("file", b"x", "=?UTF-8?B?w78vLnR4dA==?="))), ".txt", 1),
    "nine headers": (upload(form(b"X: y\r\n" * 8 + GOOD)), "a.txt", 7),
    "bidi, controls": (upload(form(part("file", b"x", "a\u202e\u200bb\u0001\x7f.txt"))), "ab.txt", 1),
    "NUL": (post("/MODE_upload?name=a%00b", b"x", RAW), "ab", 1),
    "CRLF": (post("/MODE_upload?name=a%0d%0aX-Evil:%20b", b"x", RAW), "aX-Evil: b", 1),
    "path": (upload(form(part("file", b"x", "../../etc/passwd"))), "passwd", 1),
    "Windows path": (upload(form(part("file", b"x", "C:\\tmp\\x"))), "x", 1),
    "no ASCII character": (upload(form(part("file", b"x", "文档"))), "文档", 1),
    "chunks": (in_chunks(b"one", b"two"), "a.pdf", 6),
    "chunks with a trailer": (in_chunks(b"one", end=b"0\r\nX: y\r\n\r\n"), "a.pdf", 3),
    "exactly the limit": (raw(bytes(LIMIT)), "a.pdf", LIMIT),
    "exactly the limit, chunked": (in_chunks(bytes(LIMIT)), "a.pdf", LIMIT),
    "exactly the limit, form": (upload(form(part("file", bytes(LIMIT), "a"))), "a", LIMIT),
    "an index of 7000 digits": (upload(form(part(f"file[{'9' * 7000}]", b"x", "a"))), "a", 1),
    "FilePond": (upload(form(part("filepond", b"{}"), part("filepond", b"x", "a"))), "a", 1),
    "quotes": (upload(form(part("file", b"x", 'a\\";b.txt'))), 'a";b.txt', 1),
    "HTML": (upload(form(part("file", b"x", "<img src=x onerror=alert(1)>"))), "<img src=x onerror=alert(1)>", 1),
    "SQL": (upload(form(part("file", b"x", "'; DROP TABLE files;--"))), "'; DROP TABLE files;--", 1),
    "formula": (upload(form(part("file", b"x", "=cmd()"))), "=cmd()", 1),
}


@pytest.mark.parametrize("row", ACCEPTED)
def test_an_odd_upload_is_stored(ferry: Ferry, row: str) -> None:
    request, name, size = ACCEPTED[row]
    for mode, status in MODES.items():
        reply = ferry.ask(in_mode(mode, request))

        assert reply.status == status
        file = ferry.keep(reply)
        assert (file["name"], file["size"]) == (name, size)
