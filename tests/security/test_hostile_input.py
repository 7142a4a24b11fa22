"""Every rule that parses input of clients takes linear time.

Inputs are the worst cases for backtracking, copying and sorting, at the largest accepted size.
"""

from __future__ import annotations

import re
from unicodedata import normalize

import pytest
from flask import Flask, Request
from werkzeug.http import parse_list_header

from api.forwarded import forwarded_prefix
from api.upload_request.fields import FILE_FIELD_PATTERN
from content.filename_encoding import decode_encoded_words, part_filename
from content.filenames import archive_names, display_name, safe_name
from content.policy import safe_headers
from content.sniffing import SNIFF_BYTES, detect
from server.request_head import MAX_HEAD_BYTES
from tests.fakes import BOUNDARY
from tests.security.growth import Rule, grows_linearly, repeated
from tests.security.parsers import (
    FIELD,
    FORM,
    JSON,
    MEMBERS,
    NAME,
    PART_HEAD,
    URL,
    as_json,
    byte_by_byte,
    chunks,
    conditions,
    fields_of_a_form,
    form_with,
    head_of_part,
    logged,
    message,
    names_in_head,
    of_chunks,
    query,
    small_headers,
)

CUT_BOUNDARY = BOUNDARY[:-1].encode()

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
        FILE_FIELD_PATTERN.fullmatch, PART_HEAD, repeated(["file", "files["], [*SIGNS, "9", "[", "]"])
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
