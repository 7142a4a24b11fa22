"""What HTTP brought: forms and raw bodies as streams, every unsound one refused."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request as BaseRequest

from api.upload_request import media_type, parse
from content.sniffing import SNIFF_BYTES, detect
from problems import (
    BadEncoding,
    FilenameTooLong,
    FormTooLarge,
    IncompleteBody,
    LengthRequired,
    MalformedMultipart,
    MissingFile,
    MissingFilename,
    Problem,
    TooLarge,
    TooManyFiles,
    UnexpectedFile,
    UnsupportedMediaType,
)  # fmt: skip
from tests.fakes import FORM, form, part
from tests.wsgi import LIMIT, ChunkedInput, parse_upload, request

FILE = part("file", b"content", "a.txt", "text/plain")


def test_a_file_comes_with_its_name_and_type() -> None:
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
def test_what_stands_around_the_file_does_not_matter(body: bytes) -> None:
    assert parse_upload(body)[1] == b"content"


@pytest.mark.parametrize("sizes", [[1 << 20], [1], [7, 5000, 64]])
@pytest.mark.parametrize("size", [0, 1, 4096, SNIFF_BYTES - 1, SNIFF_BYTES, SNIFF_BYTES + 1, 100_000])
def test_looking_at_the_first_bytes_changes_nothing(size: int, sizes: list[int]) -> None:
    body = (b"%PDF-1.7\n" + bytes(range(256)) * 400)[:size]

    for sent, got in (
        parse_upload(body, "image/png", query="name=a", sizes=sizes),
        parse_upload(form(part("file", body, "a", "image/png")), sizes=sizes),
    ):
        assert (sent.content_type, sent.detected_type) == ("image/png", detect(body))
        assert got == body


def test_the_pieces_that_were_looked_at_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [b"x" * 10, b"y" * 700_000, b"z" * 700_000]
    monkeypatch.setattr("api.upload_request.request.iter_body", lambda _: iter(pieces))
    sent = parse(request(b"", "application/pdf", length=1_400_010, query="name=a"), 2 << 20)

    assert [id(piece) for piece in sent.stream] == [id(piece) for piece in pieces]


def test_no_more_than_the_first_bytes_is_read_before_the_stream_is() -> None:
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
def test_the_name_is_what_the_client_meant(filename: str, name: str) -> None:
    head = f'Content-Disposition: form-data; name="file"; {filename}\r\n\r\n'

    assert parse_upload(form(head.encode() + b"content"))[0].name == name


@pytest.mark.parametrize("filename", [b"\xff.txt", b"a\xed\xa0\x80b.txt", b"\xfc\xe4\xf6"])
def test_a_name_that_is_no_utf8_is_refused(filename: bytes) -> None:
    head = b'Content-Disposition: form-data; name="file"; filename="' + filename + b'"\r\n\r\n'

    with pytest.raises(BadEncoding):
        parse_upload(form(head + b"content"))


@pytest.mark.parametrize("filename", ["\u202e", "dir/", "  ", "\x01\x02"])
def test_a_name_of_which_nothing_is_left_is_not_called_a_missing_file(filename: str) -> None:
    with pytest.raises(MissingFilename, match="name is empty without"):
        parse_upload(form(part("file", b"x", filename)))


@pytest.mark.parametrize(
    ("head", "passes"),
    [
        (b"X: y\r\n" * 7, True),
        (b"X: y\r\n" * 62, True),
        (b"X: y\r\n" * 64, False),
        (b"X: " + b"y" * 8000 + b"\r\n", True),
        (b"X: " + b"y" * 8190 + b"\r\n", False),
        (b"X: " + b"y" * 40_000 + b"\r\n", False),
        (b"X: y\r\n" + b" z\r\n" * 2040, False),
        ((b"X: " + b"y" * 2000 + b"\r\n") * 5, False),
    ],
)
@pytest.mark.parametrize("sizes", [[1 << 20], [997]])
def test_the_head_of_a_part_has_a_bound(head: bytes, passes: bool, sizes: list[int]) -> None:
    for body in (form(head + FILE), form(head + part("before", b"1"), FILE), form(FILE, head + part("after", b"1"))):
        if passes:
            assert parse_upload(body, sizes=sizes)[1] == b"content"
        else:
            with pytest.raises(MalformedMultipart, match="64 lines and 8192 bytes"):
                parse_upload(body, sizes=sizes)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (form(part("other", b"x")), MissingFile),
        (form(), MissingFile),
        (form(part("file", b"text, not a file")), MissingFilename),
        (form(part("file", b"", "")), MissingFile),
        (form(part("file", b"x", "\u202e")), MissingFilename),
        (form(part("file", b"x", "n" * 256)), FilenameTooLong),
        (form(part("file", b"x", "n" * 10_000)), FilenameTooLong),
        (form(FILE, part("file", b"second", "b.txt")), TooManyFiles),
        (form(FILE, FILE), TooManyFiles),
        (form(part("upload", b"x", "a.txt")), UnexpectedFile),
        (form(FILE, part("upload", b"x", "b.txt")), UnexpectedFile),
        (form(*[part(f"f{number}", b"") for number in range(30)], FILE), FormTooLarge),
        (form(FILE, *[part(f"f{number}", b"") for number in range(30)]), FormTooLarge),
        (form(part("big", b"x" * 70_000), FILE), FormTooLarge),
        (form(FILE, part("big", b"x" * 70_000)), FormTooLarge),
        (form(FILE) + b"e" * (2 << 20), FormTooLarge),
        (form(b"X-Long: " + b"h" * 70_000 + b"\r\n" + FILE), MalformedMultipart),
        (form(FILE).replace(b"boundary", b"elsewhere"), MalformedMultipart),
        (form(FILE, end=b""), MalformedMultipart),
        (form(FILE, end=b"--").removesuffix(b"--boundary--"), MalformedMultipart),
        (form(b"Content-Disposition: attachment\r\n\r\nx"), MalformedMultipart),
        (form(b"no header at all"), MalformedMultipart),
        (b"", MalformedMultipart),
        (b"\x00" * 5000, MalformedMultipart),
    ],
)
@pytest.mark.parametrize("sizes", [[1 << 20], [1], [7, 1, 64]], ids=["at once", "byte by byte", "in bits"])
def test_an_unsound_form_is_refused(body: bytes, problem: type[Problem], sizes: list[int]) -> None:
    if len(body) > 20_000 and sizes != [1 << 20]:
        sizes = [9973]
    with pytest.raises(problem) as refused:
        parse_upload(body, limit=16 << 20, sizes=sizes)
    assert type(refused.value) is problem


def test_a_form_cut_anywhere_is_refused() -> None:
    body = form(part("before", b"1"), FILE, part("after", b"2"))
    whole = len(body) - len(b"\r\n")

    for cut in range(whole):
        with pytest.raises((IncompleteBody, MalformedMultipart, MissingFile)):
            parse_upload(body[:cut], length=len(body))
        with pytest.raises((MalformedMultipart, MissingFile)):
            parse_upload(body[:cut], length=None, **{"Transfer-Encoding": "chunked"})


def test_a_raw_body_is_a_file_too() -> None:
    asked = request(b"raw bytes", "application/pdf", query="name=%E6%96%87%E6%A1%A3.pdf")
    sent = parse(asked, LIMIT)

    assert (sent.name, sent.content_type, sent.max_bytes) == ("文档.pdf", "application/pdf", 9)
    assert b"".join(sent.stream) == b"raw bytes"


@pytest.mark.parametrize(
    ("content_type", "headers", "length", "problem"),
    [
        ("", {}, -1, MissingFilename),
        ("application/json", {}, -1, MissingFilename),
        ("application/x-www-form-urlencoded", {}, -1, MissingFilename),
        (FORM, {"Content-Encoding": "gzip"}, -1, UnsupportedMediaType),
        ("multipart/form-data", {}, -1, MalformedMultipart),
        ("multipart/form-data; boundary=", {}, -1, MalformedMultipart),
        ("multipart/form-data; boundary=wrong", {}, -1, MalformedMultipart),
        (FORM, {}, None, LengthRequired),
        ("application/pdf", {}, -1, MissingFilename),
    ],
)
def test_a_body_that_is_no_file_is_refused(
    content_type: str, headers: dict[str, str], length: int | None, problem: type[Problem]
) -> None:
    with pytest.raises(problem):
        parse_upload(form(FILE), content_type, length=length, **headers)


def raw(size: int, *, announced: int | None = -1, limit: int = LIMIT) -> int:
    headers = {"Transfer-Encoding": "chunked"} if announced is None else {}
    asked = request(b"x" * size, "application/pdf", length=announced, query="name=a.pdf", **headers)
    return sum(len(chunk) for chunk in parse(asked, limit).stream)


@pytest.mark.parametrize(("size", "announced"), [(500, 1000), (0, 1), (1001, 1000)])
def test_a_raw_body_of_another_length_than_announced_is_refused(size: int, announced: int) -> None:
    with pytest.raises(IncompleteBody):
        raw(size, announced=announced)


@pytest.mark.parametrize("announced", [-1, None], ids=["length known", "chunked"])
def test_a_file_of_exactly_the_limit_passes_and_one_byte_more_does_not(announced: int | None) -> None:
    assert raw(LIMIT, announced=announced) == LIMIT
    with pytest.raises(TooLarge) as refused:
        raw(LIMIT + 1, announced=announced)
    assert refused.value.fields == {"max_bytes": LIMIT}

    assert len(parse_upload(form(part("file", b"x" * LIMIT, "a")))[1]) == LIMIT
    with pytest.raises(TooLarge):
        parse_upload(form(part("file", b"x" * (LIMIT + 1), "a")))


def test_a_request_that_announces_too_much_is_refused_unread() -> None:
    asked = request(b"", "application/pdf", length=LIMIT + 1)

    with pytest.raises(TooLarge):
        parse(asked, LIMIT)


def test_a_connection_that_breaks_is_an_incomplete_body() -> None:
    class Broken(ChunkedInput):
        def read(self, size: int = -1) -> bytes:
            piece = super().read(size)
            if not piece:
                raise ConnectionResetError
            return piece

    asked = request(form(FILE)[:-20], length=9999)
    asked.environ["wsgi.input"] = Broken(form(FILE)[:-20], [1 << 20])

    with pytest.raises(IncompleteBody):
        b"".join(parse(asked, LIMIT).stream)


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ("image/png", "image/png"),
        ("Image/PNG", "image/png"),
        ("", "application/octet-stream"),
        ("png", "application/octet-stream"),
        ("image/png\r\nX: y", "application/octet-stream"),
        ("a" * 200 + "/b", "application/octet-stream"),
    ],
)
def test_a_declared_type_is_kept_where_it_is_one(declared: str, kept: str) -> None:
    assert media_type(declared) == kept


def test_the_flask_test_client_is_served_as_well() -> None:
    """Its input does not end by itself."""

    def stream() -> Iterator[bytes]:
        builder = EnvironBuilder(method="POST", data={"file": (io.BytesIO(b"content"), "a.txt")})
        yield from parse(Request(builder.get_environ()), LIMIT).stream

    assert issubclass(Request, BaseRequest)
    assert b"".join(stream()) == b"content"
