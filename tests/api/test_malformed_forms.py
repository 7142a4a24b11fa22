"""Malformed, oversized and truncated forms are refused."""

from __future__ import annotations

import pytest

from problems import (
    FilenameTooLong,
    FormTooLarge,
    IncompleteBody,
    MalformedMultipart,
    MissingFile,
    MissingFilename,
    Problem,
    TooManyFiles,
    UnexpectedFile,
)  # fmt: skip
from tests.api.forms import FILE
from tests.fakes import form, part
from tests.wsgi import parse_upload


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
def test_the_headers_of_a_part_are_limited(head: bytes, passes: bool, sizes: list[int]) -> None:
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
@pytest.mark.parametrize("sizes", [[1 << 20], [1], [7, 1, 64]], ids=["at once", "byte by byte", "in pieces"])
def test_a_malformed_form_is_refused(body: bytes, problem: type[Problem], sizes: list[int]) -> None:
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
