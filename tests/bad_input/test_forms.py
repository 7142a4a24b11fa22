"""The form parser with generated forms and bytes, also compared with Werkzeug's. Every run generates the same."""

from __future__ import annotations

import io
import re
import time
import tracemalloc

import pytest
from flask import Request
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import MultiPartParser

from api.upload_request import media_type, parse
from content.filenames import display_name
from problems import Problem
from tests.fakes import form, part
from tests.wsgi import parse_upload, request

FIXED = settings(max_examples=300, deadline=None, derandomize=True, database=None)
SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=6)
SPECIAL = [
    b"\r",
    b"\n",
    b"\r\n",
    b"--",
    b"boundary",
    b"\r\n--bounda",
    b"\r\n--",
    b"x",
    b":",
    b";",
    b'"',
    b"\\",
    b"\x00",
]
CONTENT = st.binary(max_size=300) | st.lists(st.sampled_from(SPECIAL), max_size=60).map(b"".join)


def is_content(body: bytes) -> bool:
    """Whether a part of a form may contain it. Werkzeug accepts any line break before a boundary, Ferry only CRLF."""
    return not re.search(rb"[\r\n]--boundary", b"\n" + body)


INSIDE = CONTENT.filter(is_content)
NAMES = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters='"\\/%'), min_size=1, max_size=40
)
FILENAMES = NAMES.filter(lambda name: bool(display_name(name)))
OTHERS = st.lists(st.tuples(NAMES.filter(lambda name: name != "file"), INSIDE), max_size=4)
OWN_HEADERS = st.lists(st.sampled_from(["X-Extra: 1", "Content-Transfer-Encoding: binary", "x:y"]), max_size=2)


@st.composite
def file_parts(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A part with a file, its headers in one of their valid spellings, and its content."""
    filename, body = draw(FILENAMES), draw(INSIDE)
    word = draw(st.sampled_from(["Content-Disposition", "content-disposition", "CONTENT-DISPOSITION"]))
    gap, semi = draw(st.sampled_from([" ", "", "   ", "\t"])), draw(st.sampled_from(["; ", ";", " ; "]))
    parameters = draw(st.permutations(['name="file"', f'filename="{filename}"']))
    headers = [f"{word}:{gap}form-data{semi}{semi.join(parameters)}", *draw(OWN_HEADERS)]
    declared = draw(st.sampled_from([None, "text/plain", "Image/PNG", "application/pdf", "nonsense"]))
    headers += [] if declared is None else [f"Content-Type: {declared}"]
    return "\r\n".join([*draw(st.permutations(headers)), "", ""]).encode() + body, body


@FIXED
@given(
    file=file_parts(),
    before=OTHERS,
    after=OTHERS,
    epilogue=INSIDE,
    sizes=SIZES,
    preamble=st.sampled_from([b"", b"text\r\n"]),
)
def test_a_valid_form_in_any_pieces_is_parsed_as_by_werkzeug(
    file: tuple[bytes, bytes],
    before: list[tuple[str, bytes]],
    after: list[tuple[str, bytes]],
    epilogue: bytes,
    sizes: list[int],
    preamble: bytes,
) -> None:
    parts = [*(part(name, body) for name, body in before), file[0], *(part(name, body) for name, body in after)]
    body = preamble + form(*parts) + epilogue

    sent, got = parse_upload(body, sizes=sizes)

    reference = werkzeug_reads(body)
    assert got == reference.read() == file[1]
    assert sent.name == display_name(reference.filename or "")
    assert sent.content_type == media_type(reference.content_type or "")


def werkzeug_reads(body: bytes) -> FileStorage:
    parser = MultiPartParser(stream_factory=lambda *_, **__: io.BytesIO())
    return parser.parse(io.BytesIO(body), b"boundary", len(body))[1]["file"]


VALID = form(part("before", b"1"), part("file", b"content", "a.txt", "text/plain"), part("after", b"2"))
CHANGES = st.lists(
    st.tuples(
        st.integers(0, len(VALID)),
        st.integers(0, 20),
        st.sampled_from(SPECIAL) | st.binary(max_size=5),
    ),
    min_size=1,
    max_size=4,
)


def changed(changes: list[tuple[int, int, bytes]]) -> bytes:
    """The valid form with some bytes replaced."""
    body = VALID
    for at, length, by in changes:
        body = body[:at] + by + body[at + length :]
    return body


def outcome(body: bytes, sizes: list[int], **options: object) -> tuple[int, bytes | None]:
    """The status, and the file's bytes if it was accepted."""
    try:
        return 201, parse_upload(body, sizes=sizes, **options)[1]
    except Problem as problem:
        return problem.status, None


@FIXED
@given(body=st.binary(max_size=400) | CONTENT.map(lambda body: b"--boundary\r\n" + body), sizes=SIZES)
def test_any_bytes_in_any_pieces_are_a_file_or_a_problem(body: bytes, sizes: list[int]) -> None:
    status, _ = outcome(body, sizes)

    assert status == 201 or 400 <= status < 500


@FIXED
@given(body=CHANGES.map(changed), sizes=SIZES, cut=st.integers(0, 9), announced=st.booleans())
def test_a_damaged_form_in_any_pieces_is_a_file_or_a_problem(
    body: bytes, sizes: list[int], cut: int, announced: bool
) -> None:
    """The pieces decide how strict the parser is, but not the content of an accepted file."""
    sent = body[: len(body) - cut]
    options = {"length": len(body)} if announced else {"length": None, "Transfer-Encoding": "chunked"}
    status, content = outcome(sent, sizes, **options)
    whole = outcome(sent, [1 << 20], **options)[1]

    assert content is None or whole is None or content == whole
    assert status == 201 or 400 <= status < 500


@FIXED
@given(
    content_type=st.text(max_size=60).map(lambda text: f"multipart/form-data; {text}")
    | st.binary(max_size=40).map(lambda text: f"multipart/form-data; boundary={text.decode('latin-1')}")
    | st.text(st.characters(codec="latin-1"), max_size=60),
    query=st.text(st.characters(codec="utf-8"), max_size=40),
)
def test_any_type_and_any_name_are_a_file_or_a_problem(content_type: str, query: str) -> None:
    status, _ = outcome(VALID, [999], content_type=content_type, query={"name": query})

    assert status == 201 or 400 <= status < 500


LENGTH = 20_000_000
EVIL = {
    "CR": b"\r",
    "CRLF": b"\r\n",
    "CRLF--": b"\r\n--",
    "almost a boundary": b"\r\n--boundar",
    "a boundary and a CR": b"\r\n--boundaryx\r",
}


@pytest.mark.parametrize(
    "place", ["in the file", "behind a CRLF and x", "in a header", "in the preamble", "in a field"]
)
@pytest.mark.parametrize("evil", EVIL)
def test_known_attacks_on_parsers_take_neither_time_nor_memory(place: str, evil: str) -> None:
    """GHSA-hrfv, GHSA-xg9f: quadratic search, and a buffer that grows until a boundary."""
    stuff = EVIL[evil] * (LENGTH // len(EVIL[evil]))
    before = {
        "in the file": b"--boundary\r\n" + part("file", b"", "a"),
        "behind a CRLF and x": b"--boundary\r\n" + part("file", b"\r\nx", "a"),
        "in a header": b"--boundary\r\nX: ",
        "in the preamble": b"",
        "in a field": b"--boundary\r\n" + part("text", b""),
    }[place]
    body = before + stuff + b"\r\n--boundary--\r\n"
    asked = request(body, sizes=[768 << 10])
    tracemalloc.start()
    began = time.process_time()
    status = drained(asked)
    seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert status == 201 if place.endswith(("file", "x")) and "boundary and" not in evil else 400 <= status < 500
    assert peak < 8 << 20
    assert seconds < 4


def drained(asked: Request) -> int:
    """The status of an upload whose bytes are discarded."""
    try:
        for _ in parse(asked, 2 * LENGTH).stream:
            pass
    except Problem as problem:
        return problem.status
    return 201
