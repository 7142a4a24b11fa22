"""Upload bodies are refused for unusable headers, a wrong length and a size above the limit."""

from __future__ import annotations

import pytest

from api.upload_request import parse
from problems import (
    IncompleteBody,
    LengthRequired,
    MalformedMultipart,
    MissingFilename,
    Problem,
    TooLarge,
    UnsupportedMediaType,
)  # fmt: skip
from tests.api.forms import FILE
from tests.fakes import FORM, form, part
from tests.wsgi import LIMIT, ChunkedInput, parse_upload, request


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
def test_a_body_with_unusable_headers_is_refused(
    content_type: str, headers: dict[str, str], length: int | None, problem: type[Problem]
) -> None:
    with pytest.raises(problem):
        parse_upload(form(FILE), content_type, length=length, **headers)


def raw(size: int, *, announced: int | None = -1, limit: int = LIMIT) -> int:
    headers = {"Transfer-Encoding": "chunked"} if announced is None else {}
    asked = request(b"x" * size, "application/pdf", length=announced, query="name=a.pdf", **headers)
    return sum(len(chunk) for chunk in parse(asked, limit).stream)


@pytest.mark.parametrize(("size", "announced"), [(500, 1000), (0, 1), (1001, 1000)])
def test_a_raw_body_must_have_its_announced_length(size: int, announced: int) -> None:
    with pytest.raises(IncompleteBody):
        raw(size, announced=announced)


@pytest.mark.parametrize("announced", [-1, None], ids=["length known", "chunked"])
def test_a_file_may_have_exactly_the_maximum_size(announced: int | None) -> None:
    assert raw(LIMIT, announced=announced) == LIMIT
    with pytest.raises(TooLarge) as refused:
        raw(LIMIT + 1, announced=announced)
    assert refused.value.fields == {"max_bytes": LIMIT}

    assert len(parse_upload(form(part("file", b"x" * LIMIT, "a")))[1]) == LIMIT
    with pytest.raises(TooLarge):
        parse_upload(form(part("file", b"x" * (LIMIT + 1), "a")))


def test_a_request_that_announces_too_many_bytes_is_refused_unread() -> None:
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
