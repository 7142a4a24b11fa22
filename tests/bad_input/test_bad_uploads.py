"""Every unsound upload over real sockets, in every mode: refused in form, with nothing left of it."""

from __future__ import annotations

import uuid

import pytest

from tests.bad_input.conftest import LIMIT, RAW, Ferry
from tests.bad_input.wire import Wire, chunked, get, post
from tests.fakes import FORM, form, part

PROBLEM = "application/problem+json"
MODES = {"normal": 201, "async": 202, "celery": 202}
AS_FORM = f"Content-Type: {FORM}"
CHUNKED = "Transfer-Encoding: chunked"
GOOD = part("file", b"content", "a.txt", "text/plain")
NAMED = "/MODE_upload?name=a.pdf"


def upload(body: bytes, *headers: str, length: int | None = -1) -> bytes:
    return post("/MODE_upload", body, *(headers or [AS_FORM]), length=length)


def raw(body: bytes, *headers: str, length: int | None = -1) -> bytes:
    return post(NAMED, body, RAW, *headers, length=length)


def in_chunks(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return raw(chunked(*chunks, end=end), CHUNKED, length=None)


def put(path: str, body: bytes, *headers: str) -> bytes:
    """As `curl -T` sends it: without a type."""
    return post(path, body, *headers).replace(b"POST", b"PUT", 1)


def disposed(disposition: str, path: str = "") -> bytes:
    """A raw body that is named by a Content-Disposition header, in Latin-1."""
    placed = post(f"/MODE_upload{path}", b"x", RAW, "Content-Disposition: NAMED")
    return placed.replace(b"NAMED", disposition.encode("latin-1"), 1)


PAGE = upload(form(part("file", b"<!DOCTYPE html>", "a.png", "image/png")))
DRAWING = upload(form(part("file", b"<svg xmlns='x'>", "x.php.jpg", "image/jpeg")))
NOT_CHOSEN = part("file", b"", "")
MANY = [part(f"f{number}", b"") for number in range(1001)]

REFUSED = {
    "B1 no field file": (upload(form(part("other", b"x"))), 400, "missing-file"),
    "B1 file in another field": (upload(form(part("other", b"x", "a"))), 400, "unexpected-file"),
    "B2 no filename": (upload(form(part("file", b"x"))), 400, "missing-filename"),
    "B3 empty filename": (upload(form(part("file", b"", ""))), 400, "missing-file"),
    "B27 page as picture": (PAGE, 415, "type-not-allowed"),
    "B27 SVG as picture": (DRAWING, 415, "type-not-allowed"),
    "B27 program as document": (raw(b"MZ" + bytes(70)), 415, "type-not-allowed"),
    "B6 Latin-1": (upload(form(part("file", b"x", "NAME")).replace(b"NAME", b"\xfcbung.txt")), 400, "bad-encoding"),
    "B6 nothing but Latin-1": (upload(form(part("file", b"x", "NAME")).replace(b"NAME", b"\xfc")), 400, "bad-encoding"),
    "B6 Latin-1 in the address": (post("/MODE_upload?name=%FCbung.txt", b"x", RAW), 400, "bad-encoding"),
    "B6 a raw byte in the address": (
        post("/MODE_upload?name=NAME", b"x", RAW).replace(b"NAME", b"\xfc", 1), 400, "bad-request",
    ),
    "B7 surrogate": (post("/MODE_upload?name=a%ED%A0%80b", b"x", RAW), 400, "bad-encoding"),
    "B7 name of controls": (upload(form(part("file", b"x", "\u202e\u0007"))), 400, "missing-filename"),
    "B8 name that is a folder": (upload(form(part("file", b"x", "../../"))), 400, "missing-filename"),
    "B10 name of 256 bytes": (upload(form(part("file", b"x", "n" * 256))), 400, "filename-too-long"),
    "B10 name of 10000 bytes": (upload(form(part("file", b"x", "n" * 10_000))), 400, "filename-too-long"),
    "B10 raw name": (post(f"/MODE_upload?name={'n' * 256}", b"x", RAW), 400, "filename-too-long"),
    "B11 two files": (upload(form(GOOD, GOOD)), 400, "too-many-files"),
    "B11 two files behind a large one": (
        upload(form(part("file", b"x" * 900_000, "a"), part("file", b"y", "b"))), 400, "too-many-files",
    ),
    "B11 an array of files": (
        upload(form(part("file[0]", b"x", "a"), part("file[99999999]", b"y", "b"))), 400, "too-many-files",
    ),
    "B11 nothing chosen twice": (upload(form(NOT_CHOSEN, NOT_CHOSEN)), 400, "missing-file"),
    "an index that is none": (upload(form(part("file[1e9]", b"x", "a"))), 400, "unexpected-file"),
    "a field of 7000 brackets": (upload(form(part("file" + "[]" * 3500, b"x", "a"))), 400, "unexpected-file"),
    "an index of 7000 digits and no file": (upload(form(part(f"file[{'9' * 7000}]", b"x"))), 400, "missing-filename"),
    "expires_in behind the file": (upload(form(GOOD, part("expires_in", b"60"))), 400, "invalid-parameter"),
    "name behind a large file": (
        upload(form(part("file", b"x" * 900_000, "a"), part("name", b"b"))), 400, "invalid-parameter",
    ),
    "expires_in that is no number": (upload(form(part("expires_in", b"\x00"), GOOD)), 400, "invalid-parameter"),
    "a name field in Latin-1": (upload(form(part("name", b"\xfc"), GOOD)), 400, "bad-encoding"),
    "base64": (
        upload(form(b"Content-Transfer-Encoding: base64\r\n" + GOOD)), 415, "unsupported-media-type",
    ),
    "unknown parameter": (post("/MODE_upload?name=a&expire=60", b"x", RAW), 400, "invalid-parameter"),
    "a parameter twice": (post("/MODE_upload?name=a&name=a", b"x", RAW), 400, "invalid-parameter"),
    "B12 wrong boundary": (upload(form(GOOD).replace(b"boundary", b"other")), 400, "malformed-multipart"),
    "B12 no boundary": (upload(form(GOOD), "Content-Type: multipart/form-data"), 400, "malformed-multipart"),
    "B12 no final boundary": (upload(form(GOOD, end=b"")), 400, "malformed-multipart"),
    "B12 no form at all": (upload(b"\x00" * 5000), 400, "malformed-multipart"),
    "B12 empty body": (upload(b""), 400, "malformed-multipart"),
    "B16 form longer than announced": (upload(form(GOOD), length=len(form(GOOD)) - 9), 400, "malformed-multipart"),
    "B17 chunks over the limit": (in_chunks(bytes(LIMIT), b"x"), 413, "too-large"),
    "B17 chunk size is none": (in_chunks(b"x", end=b"zz\r\nx\r\n0\r\n\r\n"), 400, "bad-request"),
    "B17 chunk longer than its size": (in_chunks(end=b"1\r\nxyz\r\n0\r\n\r\n"), 400, "bad-request"),
    "B17 negative chunk": (in_chunks(end=b"-1\r\nx\r\n0\r\n\r\n"), 400, "bad-request"),
    "B17 endless chunk size": (in_chunks(end=b"0" * 20_000), 400, "bad-request"),
    "B19 length and chunks": (raw(chunked(b"x"), CHUNKED), 400, "bad-request"),
    "B19 chunked twice": (raw(chunked(b"x"), "Transfer-Encoding: chunked, chunked", length=None), 400, "bad-request"),
    "B19 identity": (raw(b"x", "Transfer-Encoding: identity", length=None), 400, "bad-request"),
    "B19 gzip, chunked": (
        raw(chunked(b"x"), "Transfer-Encoding: gzip, chunked", length=None), 415, "unsupported-media-type",
    ),
    "B19 unheard of": (raw(b"x", "Transfer-Encoding: rot13", length=None), 501, "transfer-coding-unknown"),
    "B21 gzip": (raw(b"\x1f\x8b", "Content-Encoding: gzip"), 415, "unsupported-media-type"),
    "B22 length twice": (raw(b"x", "Content-Length: 2"), 400, "bad-request"),
    "B22 length negative": (raw(b"", length=-5), 400, "bad-request"),
    "B22 length with a sign": (raw(b"x", "Content-Length: +1", length=None), 400, "bad-request"),
    "B22 length in words": (raw(b"x", "Content-Length: abc", length=None), 400, "bad-request"),
    "B22 length of 10^30": (raw(b"x", f"Content-Length: 1{'0' * 30}", length=None), 413, "too-large"),
    "B23 neither length nor chunks": (raw(b"", length=None), 411, "length-required"),
    "B25 one byte over": (raw(bytes(LIMIT + 1)), 413, "too-large"),
    "B25 one byte over in a form": (upload(form(part("file", bytes(LIMIT + 1), "a"))), 413, "too-large"),
    "B26 JSON without a name": (upload(b"{}", "Content-Type: application/json"), 400, "missing-filename"),
    "B26 urlencoded without a name": (
        upload(b"a=b", "Content-Type: application/x-www-form-urlencoded"), 400, "missing-filename",
    ),
    "B26 raw without a name": (upload(b"x", RAW), 400, "missing-filename"),
    "B26 path without a name": (put("/MODE_upload/", b"x"), 400, "missing-filename"),
    "B6 Latin-1 in the path": (put("/MODE_upload/%FCbung.txt", b"x"), 400, "bad-encoding"),
    "B6 overlong in the path": (put("/MODE_upload/a%C0%AFb", b"x"), 400, "bad-encoding"),
    "B6 surrogate in the path": (put("/MODE_upload/a%ED%A0%80", b"x"), 400, "bad-encoding"),
    "B6 Latin-1 in Content-Disposition": (disposed('attachment; filename="\xfc"'), 400, "bad-encoding"),
    "B6 filename* of unknown charset": (disposed("attachment; filename*=klingon''a"), 400, "bad-encoding"),
    "B8 path that leads up": (put("/MODE_upload/..", b"x"), 400, "missing-filename"),
    "B8 path that leads up, escaped": (put("/MODE_upload/a%2F..", b"x"), 400, "missing-filename"),
    "B8 path that is a folder": (put("/MODE_upload/a/b/", b"x"), 400, "missing-filename"),
    "B8 path of controls": (put("/MODE_upload/%00%0D%0A", b"x"), 400, "missing-filename"),
    "B10 name in the path of 256 bytes": (put(f"/MODE_upload/{'n' * 256}", b"x"), 400, "filename-too-long"),
    "B10 Content-Disposition of 8 KB": (disposed(f'attachment; filename="{"n" * 8000}"'), 400, "filename-too-long"),
    "two names": (put("/MODE_upload/a?name=b", b"x"), 400, "invalid-parameter"),
    "two names, one in a header": (disposed("attachment; filename=b", path="/a"), 400, "invalid-parameter"),
    "B30 1001 parts": (upload(form(*MANY, GOOD)), 413, "form-too-large"),
    "B30 1001 parts behind": (upload(form(GOOD, *MANY)), 413, "form-too-large"),
    "B30 long text field": (upload(form(part("text", b"x" * 500_001), GOOD)), 413, "form-too-large"),
    "B30 65 headers in a part": (upload(form(b"X: y\r\n" * 64 + GOOD)), 400, "malformed-multipart"),
    "B30 long header of a part": (upload(form(b"X: " + b"h" * 70_000 + b"\r\n" + GOOD)), 400, "malformed-multipart"),
    "B31 header of 9 KB": (raw(b"x", f"X: {'h' * 9000}"), 431, "headers-too-large"),
    "B31 101 headers": (raw(b"x", *(f"X-{number}: h" for number in range(101))), 431, "headers-too-large"),
    "B31 head without an end": (post(NAMED, b"", *[f"X: {'h' * 8000}"] * 5)[:-2], 431, "headers-too-large"),
    "B31 address of 5 KB": (post(f"/MODE_upload?name={'n' * 5000}", b"x", RAW), 414, "uri-too-long"),
    "B32 another expectation": (raw(b"x", "Expect: a miracle"), 417, "expectation-failed"),
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
    "B44 empty key": (raw(b"x", "Idempotency-Key:"), 400, "idempotency-key-invalid"),
    "B44 long key": (raw(b"x", f"Idempotency-Key: {'k' * 256}"), 400, "idempotency-key-invalid"),
    "B44 key with a tab": (raw(b"x", "Idempotency-Key: a\tb"), 400, "idempotency-key-invalid"),
    "B44 key with a bell": (raw(b"x", "Idempotency-Key: a\ab"), 400, "bad-request"),
}  # fmt: skip

CUT = {
    "B13 form": (upload(form(GOOD)[:-20], length=len(form(GOOD))), 400, "incomplete-body"),
    "B13 form in its headers": (upload(form(GOOD)[:30], length=len(form(GOOD))), 400, "incomplete-body"),
    "B14 raw body": (raw(b"half", length=8), 400, "incomplete-body"),
    "B14 raw body without a byte": (raw(b"", length=8), 400, "incomplete-body"),
    "B17 chunks": (in_chunks(b"half", end=b""), 400, "incomplete-body"),
    "B17 in a chunk": (in_chunks(end=b"8\r\nhalf"), 400, "incomplete-body"),
    "B17 in a chunk's size": (in_chunks(b"half", end=b"8"), 400, "incomplete-body"),
    "B17 before the last line": (in_chunks(b"half", end=b"0\r\n"), 400, "incomplete-body"),
}


def check(ferry: Ferry, row: tuple[bytes, int, str], *, end: bool = False) -> None:
    """The row's answer, in every mode."""
    request, status, slug = row
    for mode in MODES:
        reply = ferry.ask(in_mode(mode, request), end=end)

        assert reply.outcome == (status, PROBLEM, slug), mode
        assert {"title", "detail", "instance", "status"} <= set(reply.json)
        assert reply.json.get("max_bytes") == {"too-large": LIMIT, "filename-too-long": 255}.get(slug)
        assert "server" not in reply.headers


def in_mode(mode: str, request: bytes) -> bytes:
    return request.replace(b"MODE", mode.encode(), 1)


@pytest.mark.parametrize("row", REFUSED)
def test_an_unsound_upload_is_refused(ferry: Ferry, row: str) -> None:
    check(ferry, REFUSED[row])


@pytest.mark.parametrize("row", CUT)
def test_a_body_that_was_cut_is_no_file(ferry: Ferry, row: str) -> None:
    check(ferry, CUT[row], end=True)


ACCEPTED = {
    "B4 empty file": (upload(form(part("file", b"", "a"))), "a", 0),
    "B4 empty raw file": (raw(b""), "a.pdf", 0),
    "B4 empty file of PUT": (put("/MODE_upload/a", b""), "a", 0),
    "B5 emoji in the path": (put("/MODE_upload/%F0%9F%8E%89.txt", b"x"), "\N{PARTY POPPER}.txt", 1),
    "B5 filename* in a header": (disposed("attachment; filename*=UTF-8''%E2%82%AC; filename=b"), "\u20ac", 1),
    "B7 CRLF in the path": (put("/MODE_upload/a%0d%0aX-Evil:%20b", b"x"), "aX-Evil: b", 1),
    "B7 broken escape in the path": (put("/MODE_upload/100%zz", b"x"), "100%zz", 1),
    "B8 folders in the path": (put("/MODE_upload//a/../..%2Fetc/passwd", b"x"), "passwd", 1),
    "B26 no type": (post(NAMED, b"x"), "a.pdf", 1),
    "B26 JSON": (post(NAMED, b"{}", "Content-Type: application/json"), "a.pdf", 2),
    "B26 urlencoded": (post(NAMED, b"a=b", "Content-Type: application/x-www-form-urlencoded"), "a.pdf", 3),
    "B26 a form under a name in the path": (
        post("/MODE_upload/b.txt", form(GOOD), AS_FORM).replace(b"POST", b"PUT", 1),
        "b.txt",
        7,
    ),
    "B4 empty chunks": (in_chunks(), "a.pdf", 0),
    "B5 emoji": (upload(form(part("file", b"x", "\N{PARTY POPPER}.txt"))), "\N{PARTY POPPER}.txt", 1),
    "B5 decomposed": (upload(form(part("file", b"x", "e\u0301.txt"))), "\u00e9.txt", 1),
    "B5 filename*": (upload(form(part("file", b"x", "a\"; filename*=UTF-8''%E2%82%AC; x=\""))), "\u20ac", 1),
    "B6 encoded word with a slash": (upload(form(part("file", b"x", "=?UTF-8?B?w78vLnR4dA==?="))), ".txt", 1),
    "B6 nine headers": (upload(form(b"X: y\r\n" * 8 + GOOD)), "a.txt", 7),
    "B7 bidi, controls": (upload(form(part("file", b"x", "a\u202e\u200bb\u0001\x7f.txt"))), "ab.txt", 1),
    "B7 NUL": (post("/MODE_upload?name=a%00b", b"x", RAW), "ab", 1),
    "B7 CRLF": (post("/MODE_upload?name=a%0d%0aX-Evil:%20b", b"x", RAW), "aX-Evil: b", 1),
    "B8 path": (upload(form(part("file", b"x", "../../etc/passwd"))), "passwd", 1),
    "B8 Windows path": (upload(form(part("file", b"x", "C:\\tmp\\x"))), "x", 1),
    "B9 nothing of it is ASCII": (upload(form(part("file", b"x", "文档"))), "文档", 1),
    "B17 chunks": (in_chunks(b"one", b"two"), "a.pdf", 6),
    "B17 chunks with a trailer": (in_chunks(b"one", end=b"0\r\nX: y\r\n\r\n"), "a.pdf", 3),
    "B24 exactly the limit": (raw(bytes(LIMIT)), "a.pdf", LIMIT),
    "B24 exactly the limit, chunked": (in_chunks(bytes(LIMIT)), "a.pdf", LIMIT),
    "B24 exactly the limit, form": (upload(form(part("file", bytes(LIMIT), "a"))), "a", LIMIT),
    "an index of 7000 digits": (upload(form(part(f"file[{'9' * 7000}]", b"x", "a"))), "a", 1),
    "FilePond": (upload(form(part("filepond", b"{}"), part("filepond", b"x", "a"))), "a", 1),
    "B48 quotes": (upload(form(part("file", b"x", 'a\\";b.txt'))), 'a";b.txt', 1),
    "B49 HTML": (upload(form(part("file", b"x", "<img src=x onerror=alert(1)>"))), "<img src=x onerror=alert(1)>", 1),
    "B49 SQL": (upload(form(part("file", b"x", "'; DROP TABLE files;--"))), "'; DROP TABLE files;--", 1),
    "B49 formula": (upload(form(part("file", b"x", "=cmd()"))), "=cmd()", 1),
}


@pytest.mark.parametrize("row", ACCEPTED)
def test_an_odd_upload_is_taken_as_what_it_is(ferry: Ferry, row: str) -> None:
    request, name, size = ACCEPTED[row]
    for mode, status in MODES.items():
        reply = ferry.ask(in_mode(mode, request))

        assert reply.status == status
        file = ferry.keep(reply)
        assert (file["name"], file["size"]) == (name, size)


@pytest.mark.parametrize("mode", MODES)
def test_a_raw_body_that_goes_on_is_a_file_and_a_bad_request(ferry: Ferry, mode: str) -> None:
    """B16: the announced bytes are the file; what follows is where the next request would be."""
    with Wire(ferry.ports.web) as wire:
        wire.send(in_mode(mode, raw(b"file and more\r\n\r\n", length=4)))
        file, rest = wire.reply(), wire.reply()
        assert wire.ended()

    assert ferry.keep(file)["size"] == 4
    assert rest.outcome == (400, PROBLEM, "bad-request")


@pytest.mark.parametrize("mode", MODES)
def test_a_key_stands_for_one_upload(ferry: Ferry, mode: str) -> None:
    """B44: the same again is told of the first; another is refused, and read to its end."""
    key = f"Idempotency-Key: {uuid.uuid4()}"
    first, again, other = (ferry.ask(in_mode(mode, raw(body, key))) for body in (b"one", b"one", b"another"))

    assert (first.status, again.status) == (MODES[mode], MODES[mode])
    assert again.json["id"] == first.json["id"]
    assert other.outcome == (422, PROBLEM, "idempotency-key-reused")
    ferry.keep(first)


@pytest.mark.parametrize("mode", MODES)
def test_two_requests_on_one_connection_are_told_apart(ferry: Ferry, mode: str) -> None:
    """The second head comes along with the first body, its end later."""
    head = get("/healthz")
    with Wire(ferry.ports.web) as wire:
        wire.send(in_mode(mode, raw(b"content")) + head[:20])
        first = wire.reply()
        wire.send(head[20:])
        second = wire.reply()

    assert ferry.keep(first)["size"] == 7
    assert second.status == 200
