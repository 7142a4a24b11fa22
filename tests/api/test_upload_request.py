"""An upload request is parsed into a name, a type and a stream."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request as BaseRequest

from api.upload_request import media_type, parse
from content.sniffing import SNIFF_BYTES, detect
from problems import BadEncoding, MissingFilename
from tests.api.forms import FILE
from tests.fakes import form, part
from tests.wsgi import LIMIT, parse_upload, request


def test_a_file_has_its_name_and_type() -> None:
    sent, body = parse_upload(form(FILE))

    assert (sent.name, sent.content_type, body) == ("a.txt", "text/plain", b"content")


@pytest.mark.parametrize(
    "body",
    [
        form(part("before", b"1"), FILE),
        form(FILE, part("after", b"2")),
        form(part("before", b"1"), FILE, part("after", b"2"), part("unchosen", b"", "")),
        b"preamble to be ignored\r\n" + form(FILE),
        form(FILE) + b"epilogue to be ignored",
        form(FILE, end=b"--"),
    ],
    ids=["field before", "field after", "fields around", "preamble", "epilogue", "no last line break"],
)
def test_content_around_the_file_is_ignored(body: bytes) -> None:
    assert parse_upload(body)[1] == b"content"


@pytest.mark.parametrize("sizes", [[1 << 20], [1], [7, 5000, 64]])
@pytest.mark.parametrize("size", [0, 1, 4096, SNIFF_BYTES - 1, SNIFF_BYTES, SNIFF_BYTES + 1, 100_000])
def test_sniffing_leaves_the_stream_complete(size: int, sizes: list[int]) -> None:
    body = (b"%PDF-1.7\n" + bytes(range(256)) * 400)[:size]

    for sent, got in (
        parse_upload(body, "image/png", query="name=a", sizes=sizes),
        parse_upload(form(part("file", body, "a", "image/png")), sizes=sizes),
    ):
        assert (sent.content_type, sent.detected_type) == ("image/png", detect(body))
        assert got == body


def test_sniffed_chunks_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [b"x" * 10, b"y" * 700_000, b"z" * 700_000]
    monkeypatch.setattr("api.upload_request.request.iter_body", lambda _: iter(pieces))
    sent = parse(request(b"", "application/pdf", length=1_400_010, query="name=a"), 2 << 20)

    assert [id(piece) for piece in sent.stream] == [id(piece) for piece in pieces]


def test_parsing_reads_only_the_first_bytes() -> None:
    body = form(part("file", b"x" * 100_000, "a.txt"))
    asked = request(body, sizes=[1000])
    parse(asked, LIMIT)

    assert len(b"".join(iter(asked.stream.read, b""))) > 90_000


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ('filename="a.txt"', "a.txt"),
        ('filename="文档.pdf"', "文档.pdf"),
        ("filename=plain.txt", "plain.txt"),
        ('filename="a%22b.txt"', 'a"b.txt'),
        (r'filename="a\"b.txt"', 'a"b.txt'),
        (r'filename="C:\tmp\x.txt"', "x.txt"),
        ('filename="../../etc/passwd"', "passwd"),
        ("filename*=UTF-8''%E2%82%AC%20rates.txt", "€ rates.txt"),
        ("filename=\"plain.txt\"; filename*=UTF-8''%E2%82%AC.txt", "€.txt"),
        ("filename*=UTF-8''%E2%82%AC.txt; filename=\"plain.txt\"", "€.txt"),
        ("filename=\"a; filename*=UTF-8''evil.txt\"", "a; filename*=UTF-8''evil.txt"),
        ('filename="a.txt"; filename*=bogus', "a.txt"),
        ('filename="x\x01\u202ey.txt"', "xy.txt"),
    ],
)
def test_the_filename_is_read_from_content_disposition(filename: str, name: str) -> None:
    head = f'Content-Disposition: form-data; name="file"; {filename}\r\n\r\n'

    assert parse_upload(form(head.encode() + b"content"))[0].name == name


@pytest.mark.parametrize("filename", [b"\xff.txt", b"a\xed\xa0\x80b.txt", b"\xfc\xe4\xf6"])
def test_a_filename_that_is_not_utf8_is_refused(filename: bytes) -> None:
    head = b'Content-Disposition: form-data; name="file"; filename="' + filename + b'"\r\n\r\n'

    with pytest.raises(BadEncoding):
        parse_upload(form(head + b"content"))


@pytest.mark.parametrize("filename", ["\u202e", "dir/", "  ", "\x01\x02"])
def test_a_filename_that_is_empty_once_cleaned_is_a_missing_filename(filename: str) -> None:
    with pytest.raises(MissingFilename, match="name is empty without"):
        parse_upload(form(part("file", b"x", filename)))


def test_a_raw_body_is_a_file() -> None:
    asked = request(b"raw bytes", "application/pdf", query="name=%E6%96%87%E6%A1%A3.pdf")
    sent = parse(asked, LIMIT)

    assert (sent.name, sent.content_type, sent.max_bytes) == ("文档.pdf", "application/pdf", 9)
    assert b"".join(sent.stream) == b"raw bytes"


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("image/png", "image/png"),
        ("Image/PNG", "image/png"),
        ("", "application/octet-stream"),
        ("png", "application/octet-stream"),
        ("image/png\r\nX: y", "application/octet-stream"),
        ("a" * 200 + "/b", "application/octet-stream"),
    ],
)
def test_an_invalid_declared_type_becomes_octet_stream(declared: str, expected: str) -> None:
    assert media_type(declared) == expected


def test_a_body_of_the_flask_test_client_is_read() -> None:
    """Its input has no end of its own: reads stop at Content-Length."""

    def stream() -> Iterator[bytes]:
        builder = EnvironBuilder(method="POST", data={"file": (io.BytesIO(b"content"), "a.txt")})
        yield from parse(Request(builder.get_environ()), LIMIT).stream

    assert issubclass(Request, BaseRequest)
    assert b"".join(stream()) == b"content"
