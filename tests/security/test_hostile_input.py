"""Every rule that parses input of clients takes linear time: four times the input, at most five times the CPU.

Inputs are the worst cases for backtracking, copying and sorting, at the largest accepted size.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import thread_time
from typing import Any
from unicodedata import normalize

import pytest
from flask import Flask, Request, json
from gunicorn.config import Config
from gunicorn.http.body import Body
from gunicorn.http.message import Request as Message
from werkzeug.datastructures import Headers
from werkzeug.http import parse_list_header

import logs
from api.chunked_uploads import check_no_chunk_parameters, check_not_chunked
from api.conditional import if_range_matches, is_not_modified
from api.forwarded import forwarded_prefix
from api.json_bodies import parse_ids
from api.parameters import parse_page
from api.query_names import check_names
from api.ranges import parse_range
from api.upload_request import media_type, parse
from api.upload_request.fields import FILE_FIELD, READ
from api.upload_request.filename import declared_names, resolve_name
from auth.api_keys import key_id_in_token
from content.filename_encoding import check_query, decode_encoded_words, part_filename
from content.filenames import archive_names, display_name, safe_name
from content.policy import safe_headers
from content.sniffing import SNIFF_BYTES, detect
from lifecycle.idempotency import idempotent
from problems import Problem
from security.cross_site import is_cross_site
from security.trusted_hosts import is_trusted
from server.body import Unreader
from server.request_head import MAX_HEAD_BYTES, head_state
from server.request_ids import request_id
from tests.fakes import BOUNDARY, form, part
from tests.wsgi import request

CHEAP = 0.003
"""Seconds of CPU. A rule that takes less for its largest input is harmless, and too short to compare."""

PART_HEAD, FIELD, URL, JSON, NAME, MEMBERS = 8 << 10, 8190, 4094, 64 << 10, 255, 1000
FORM = (1 << 20) - 1024

CUT_BOUNDARY = BOUNDARY[:-1].encode()

Make = Callable[[int], Any]


@dataclass(frozen=True)
class Rule:
    """A rule to measure: `read` is called with what each of `inputs` makes for a size of at most `largest`."""

    read: Callable[[Any], object]
    largest: int
    inputs: tuple[Make, ...]


def repeated(prefixes: list[Any], units: list[Any]) -> tuple[Make, ...]:
    """Each prefix, followed by each unit as often as it fits, and a character that does not match."""

    def made(prefix: Any, unit: Any) -> Make:
        end = "\0" if isinstance(unit, str) else b"\0"
        return lambda size: (prefix + unit * (max(0, size - len(prefix) - 1) // len(unit))) + end

    return tuple(made(prefix, unit) for prefix in prefixes for unit in units)


SIGNS = [
    '"',
    '\\"',
    "\\",
    ";",
    "; ",
    " ",
    "\t",
    "=",
    ",",
    "'",
    "%",
    "%41",
    "/",
    ":",
    "-",
    "*",
    "?",
    "a",
    "a ",
    "1",
    "\xe9",
]
PARAMETERS = [';a="', ';a="\\', "; a=b", ";a=", ';"', '";', "; filename*=UTF-8''", ";filename*", "\r\n ", 'a="b" ']
WORDS = ["=?", "=?a?b?", "?=", "=?utf-8?q?a?= ", "=?utf-8?b?YQ==?=", "=?utf-8?q?=C3=A4?=", "?= =?"]
DISPOSITIONS = [
    "form-data",
    'form-data; name="file"; filename="',
    'form-data; name="file"; filename="x"; a="',
    "form-data; name=file; filename*=UTF-8''",
    "form-data; name=file; filename*=",
]
MARKS = ["\u0301", "\u0316", "\u0301\u0316", "a\u0301", "\u1100\u1161\u11a8", "\u202e", "\N{PARTY POPPER}", "\ud800"]
LIST = ['"a",', "W/", 'W/"a', ' , "', '"x"y', "a ,", ", ,"]
DATES = ["Mon, 01 Jan 2000 ", "01 ", "00:", "+9"]
LOGGED = ["bearer ", "Bearer a", "authorization:", "://", "://a", "a?b", "@", "ferry_", "basic  ", "\x01", "?"]


def both_marks(size: int) -> str:
    return "a" + "\u0301" * (size // 2) + "\u0316" * (size // 2)


def received(body: bytes, boundary: str = BOUNDARY) -> None:
    """Parse a whole form, in chunks as a socket returns them."""
    incoming = request(body, f'multipart/form-data; boundary="{boundary}"', sizes=[64 << 10])
    with suppress(Problem):
        for _ in parse(incoming, 4 << 20).stream:
            pass


def head_of_part(made: str) -> None:
    received(form(f"Content-Disposition: {made}\r\n\r\ncontent".encode()))


def form_with(boundary: str) -> Callable[[bytes], None]:
    """Forms with the text in the preamble, in a field, in the file and after the end: four, since most are refused."""

    def read(made: bytes) -> None:
        whole = form(part("file", b"x", "a"))
        for body in (
            made + b"\r\n" + whole,
            form(part("text", made[: 60 << 10]), part("file", b"x", "a")),
            form(part("file", made, "a")),
            whole + made,
        ):
            received(body.replace(f"--{BOUNDARY}".encode(), b"--" + boundary.encode()), boundary)

    return read


def names_in_head(text: str) -> None:
    for path, query, disposition in ((text, "", ""), (None, text, ""), (None, "", text)):
        with suppress(Problem):
            resolve_name(declared_names(path, f"/{text}", query, disposition))


def fields_of_a_form(text: str) -> None:
    """Each field that Ferry reads, before the file and after it."""
    for field in READ:
        made = part(field, text.encode("utf-8", "replace"))
        received(form(made, part("file", b"x", "a")))
        received(form(part("file", b"x", "a"), made))


def byte_by_byte(head: bytes) -> None:
    """As the worker reads a head that arrives byte by byte."""
    server, client = socket.socketpair()
    with client, server:
        unreader, seen = Unreader(server), 0
        for at in range(len(head)):
            client.send(head[at : at + 1])
            head = unreader.read_head()
            head_state(head, URL, seen)
            seen = len(head or b"")


def message(wire: bytes) -> Message:
    server, client = socket.socketpair()
    with client, server:
        client.sendall(wire)
        client.shutdown(socket.SHUT_WR)
        return Message(Config(), Unreader(server), ("127.0.0.1", 1))


def chunks(wire: bytes) -> None:
    server, client = socket.socketpair()
    with client, server:
        client.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + wire)
        client.shutdown(socket.SHUT_WR)
        body: Body = Message(Config(), Unreader(server), ("127.0.0.1", 1)).body
        while body.read(1 << 20):
            pass


def conditions(value: str) -> None:
    for name in ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"):
        with suppress(Exception):
            is_not_modified(Headers({name: value}), "0a", 1)
    if_range_matches(value, "0a", 1)


def query(text: str) -> None:
    with suppress(Exception):
        check_query(text.encode("latin-1", "replace"))
    environ = {"QUERY_STRING": text.encode("utf-8", "replace").decode("latin-1"), "wsgi.url_scheme": "http"}
    args = Request(environ).args
    with suppress(Problem):
        check_names(args, ("name", "expires_in"))
    with suppress(Problem):
        check_no_chunk_parameters(args)
    for name in ("limit", "sort", "prefix", "created_after", "cursor"):
        with suppress(Exception):
            parse_page({name: text})
    list(args.items(multi=True))


def logged(text: str) -> None:
    atoms = {"h": "a", "m": "GET", "U": text[:URL], "s": "404", "B": 1, "M": 1}
    for record in (_record("ferry", "%s", text), _record("gunicorn.access", "%(U)s", atoms)):
        logs.JsonFormatter().format(record)
        logs.TextFormatter().format(record)


def _record(name: str, *args: Any) -> Any:
    return logs.logging.getLogger(name).makeRecord(name, 20, "", 1, args[0], args[1:], None)


def small_headers(value: str) -> None:
    """Headers that are only matched against a pattern."""
    for rule in (media_type, key_id_in_token, request_id):
        rule(value)
    parse_range(f"bytes={value}", 100)
    is_trusted(value, ["a"])
    is_cross_site("POST", "a", site=value, origin=value, has_token=False, allowed=())
    with suppress(Exception), idempotent(value + "x" * NAME, None):  # type: ignore[arg-type]
        pass


def as_json(text: str) -> None:
    parse_ids(json.loads(text))


def of_chunks(text: str) -> None:
    headers = Headers([(f"X-{number}", text[:FIELD]) for number in range(4)])
    check_not_chunked(headers, [("metadata", text), (text, "1")] * 10)


def alike(size: int) -> list[str]:
    """Long names, each of them twice, that differ in a number near their end."""
    return [f"{'x' * 240}{number:013d}y" for number in range(size // 2)] * 2


RULES = {
    "parameters of a part": Rule(
        lambda text: part_filename(text, None), PART_HEAD, repeated(DISPOSITIONS, SIGNS + PARAMETERS + WORDS)
    ),
    "names in a request's head": Rule(
        names_in_head, FIELD, repeated(["", "attachment; filename=", 'attachment; filename="'], SIGNS + PARAMETERS)
    ),
    "name of a form's field": Rule(
        FILE_FIELD.fullmatch, PART_HEAD, repeated(["file", "files["], [*SIGNS, "9", "[", "]"])
    ),
    "fields of a form": Rule(fields_of_a_form, 60 << 10, repeated(["", "=?utf-8?q?"], [*WORDS, "9", "\xe9", "/"])),
    "encoded words": Rule(decode_encoded_words, PART_HEAD, repeated(["", "=?utf-8?b?", "=?utf-8?q?"], SIGNS + WORDS)),
    "head of a part": Rule(
        head_of_part, PART_HEAD, repeated(DISPOSITIONS, [*SIGNS, *PARAMETERS, *WORDS, "\r\nX:", "\r\nX: y"])
    ),
    "form": Rule(
        form_with(BOUNDARY),
        FORM,
        repeated([b""], [b"\r", b"\r\n", b"\r\n--", b"\r\n--" + CUT_BOUNDARY, b"--" + CUT_BOUNDARY, b"-"]),
    ),
    "form with a boundary of one sign": Rule(
        form_with("-"), FORM, repeated([b""], [b"\r\n-", b"\r\n\r", b"-", b"\r\n--\r"])
    ),
    "form with a long boundary": Rule(
        form_with("a" * 200),
        FORM,
        repeated([b"\r\n--"], [b"a" * 199 + b"b", b"\r\n--" + b"a" * 199, b"a", b"-"]),
    ),
    "Content-Type": Rule(
        lambda text: Request({"CONTENT_TYPE": text}).mimetype_params,
        FIELD,
        repeated(["multipart/form-data; boundary=", "a/b"], [*SIGNS, *PARAMETERS, ";a*0=b", ";a*1*=b", ";a*=utf-8''a"]),
    ),
    "display name": Rule(display_name, PART_HEAD, (*repeated(["", "a"], SIGNS + MARKS), both_marks)),
    "name in a key and a header": Rule(
        lambda name: (safe_name(name), safe_headers(name, None)), NAME, repeated(["", "a"], SIGNS + MARKS[:5])
    ),
    "names in an archive": Rule(
        lambda names: list(archive_names(names)),
        MEMBERS,
        (
            alike,
            lambda size: ["a.txt"] * size,
            lambda size: [f"a ({number}).txt" for number in range(size // 2)] + ["a.txt"] * (size // 2),
            lambda size: ["\u1e9e" * 85, "ss" * 85] * (size // 2),
        ),
    ),
    "type of a file": Rule(
        detect,
        SNIFF_BYTES,
        repeated(
            [b"", b"<?xml ", b"<!DOCTYPE x[", b"\xff\xfe", b"\x1aE\xdf\xa3", b"PK\3\4", b"\0\0\0\x18ftyp"],
            [b" ", b"<?", b"<?>", b"<?x?>", b"<!--", b"<!---->", b"]", b"] ", b"]>", b"<!DOCTYPE x[]", b"<!DOCTYPE a>",
             b"<", b"<a:", b"a", b"\x1aE\xdf\xa3", b"PK\3\4", b"\xff\xd8\xff", b"\xe2\x82"],
        ),
    ),
    "conditions": Rule(conditions, FIELD, repeated(["", '"', *DATES[:1]], SIGNS + LIST + DATES)),
    "small headers": Rule(small_headers, FIELD, repeated(["", "[", "bytes=", "0-", "ferry_", "a/"], SIGNS)),
    "X-Forwarded-For": Rule(parse_list_header, FIELD, repeated(["", '"'], SIGNS + LIST)),
    "X-Forwarded-Prefix": Rule(
        lambda text: forwarded_prefix(text, 10), FIELD, repeated(["", "/"], [*SIGNS, "/a", "/.", "/a,", ".."])
    ),
    "query": Rule(query, URL, repeated(["", "prefix=", "a="], [*SIGNS, *MARKS[:6], "&", "a&", "&a=", "+"])),
    "JSON": Rule(
        as_json,
        JSON,
        repeated(
            ["", '{"ids": ["', '{"ids": ['],
            ["[", '{"a":', "9", "\\u0041", "\\ud800", " ", '"a",', "1,", "9" * 4000 + ",", "-"],
        ),
    ),
    "chunk of a file": Rule(
        of_chunks, FIELD, repeated(["", "{"], [*SIGNS, "[", '{"a":', '"chunkIndex": 1,', "9", "chunk-"])
    ),
    "log": Rule(logged, FIELD, repeated(["", "bearer ", "://", "authorization: "], SIGNS + LOGGED)),
    "head of a request, byte by byte": Rule(
        byte_by_byte, MAX_HEAD_BYTES, repeated([b"GET / HTTP/1.1\r\n", b""], [b"X: y\r\n", b"\r"])
    ),
    "head of a request": Rule(
        message,
        MAX_HEAD_BYTES,
        repeated([b"GET / HTTP/1.1\r\n"], [b"X: y\r\n", b"x", b"X:\r\n ", b":", b"X: \t\r\n", b"Cookie: a=b;\r\n"]),
    ),
    "body in chunks": Rule(
        chunks,
        JSON,
        repeated(
            [b"", b"1;", b'1;a="', b"1;a", b"0\r\n"],
            [b"1\r\nx\r\n", b"a;", b'\\"', b" \t", b";a=b", b"0", b"X: y\r\n", b"1;a=b\r\nx\r\n", b'1;a="b"\r\nx\r\n'],
        ),
    ),
}  # fmt: skip


def seconds(rule: Rule, made: Any) -> float:
    """CPU time of this thread: other processes and the machine's load do not count."""
    began = thread_time()
    with suppress(Exception):
        rule.read(made)
    return thread_time() - began


def grows_linearly(rule: Rule, make: Make) -> bool:
    small, large = make(rule.largest // 4), make(rule.largest)
    small_seconds = large_seconds = float("inf")
    for _ in range(12):
        large_seconds = min(large_seconds, seconds(rule, large))
        if large_seconds < CHEAP:
            return True
        small_seconds = min(small_seconds, seconds(rule, small))
        if large_seconds <= 5 * small_seconds:
            return True
    return False


@pytest.mark.parametrize("name", RULES)
def test_a_rule_takes_linear_time_on_its_worst_input(name: str) -> None:
    rule = RULES[name]
    slow = [make(80) for make in rule.inputs if not grows_linearly(rule, make)]

    assert slow == []


def test_routing_takes_linear_time(app: Flask) -> None:
    urls = app.url_map.bind("localhost")
    units = ["/", "a/", "%2f", "../", "%", "files/", "//a", "\xe9"]
    rule = Rule(lambda path: urls.test(path, "GET"), URL, repeated(["/", "/files/", "/static/"], units))

    assert all(grows_linearly(rule, make) for make in rule.inputs)


QUADRATIC = {
    "quotes": Rule(lambda text: re.sub(r'"(?:\\.|[^"\\])*"', "", text), PART_HEAD // 2, repeated(['a="'], ['\\"'])),
    "marks": Rule(lambda text: normalize("NFC", text), PART_HEAD // 2, (both_marks,)),
}


@pytest.mark.parametrize("name", QUADRATIC)
def test_quadratic_time_is_detected(name: str) -> None:
    """Two rules that take quadratic time."""
    rule = QUADRATIC[name]

    assert not grows_linearly(rule, rule.inputs[0])
