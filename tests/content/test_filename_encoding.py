"""Filenames in every encoding that clients send: decoded completely, or refused as badly encoded."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from content.filename_encoding import check_query, decode_encoded_words, part_filename
from lifecycle import queries
from problems import BadEncoding
from services import current_services
from tests.conftest import drain
from tests.fakes import FORM, form, part

MODES = ("normal", "async", "celery")
B64 = base64.b64encode("文/ÿ?.pdf".encode()).decode()
PART = b'Content-Disposition: form-data; name="file"; '


def named(parameters: str) -> str | None:
    """The name of a part with these parameters beside `name`; `filename` is parsed as by the form parser."""
    found = [each.partition("=")[2].strip('"') for each in parameters.split("; ") if each.startswith("filename=")]
    return part_filename(f'form-data; name="file"; {parameters}', found[-1] if found else None)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("filename*=UTF-8''%E2%82%AC%20rates.txt", "€ rates.txt"),
        ("filename*=utf-8'de'%C3%BCbung.txt", "übung.txt"),
        ("filename*=ISO-8859-1'en'%A3%20rates", "£ rates"),
        ("filename*=iso-8859-1''%80", "€"),
        ("filename*=windows-1251''%EF%F0%E8", "при"),
        ("FileName* = UTF-8''a%2Fb", "a/b"),
        ("filename*=\"UTF-8''%E2%82%AC\"", "€"),
        ("filename*=UTF-8''a b.txt", "a b.txt"),
        ("filename=\"plain\"; filename*=UTF-8''%E2%82%AC", "€"),
        ('filename="plain"; filename*=bogus', "plain"),
        ('filename="plain"; filename*=', "plain"),
        ('x="; filename*=UTF-8\'\'evil"; filename="a"', "a"),
        (r'''x="\"; filename*=UTF-8''evil"; filename="a"''', "a"),
        ('filename="a"; x="open; filename*=UTF-8\'\'evil', "a"),
        ("filename*=UTF-8''", ""),
        ('filename=""', ""),
        ("", None),
    ],
)
def test_a_name_is_read_in_its_charset(parameters: str, name: str | None) -> None:
    assert named(parameters) == name


@pytest.mark.parametrize(
    "parameters",
    [
        "filename*=UTF-8''%FCbung.txt",
        "filename*=UTF-8''%ED%A0%80",
        "filename*=UTF-8''%C0%AF",
        "filename*=UTF-8''%F4%90%80%80",
        "filename*=UTF-8''%E2%82",
        "filename*=foo''%FCbung.txt",
        "filename*=''a",
        "filename*=utf-7''a",
        "filename*=punycode''a",
        "filename*=zlib''a",
        "filename*=idna''a",
        "filename*=us-ascii''%FC",
        "filename*=ISO-8859-1''%81",
        "filename*=UTF-8''100%",
        "filename*=UTF-8''a%zzb",
        "filename*=bogus",
        "filename*=",
        "filename=\"plain\"; filename*=foo''a",
        "filename=\"plain\"; filename*=UTF-8''%FC",
        'filename="\xfcbung.txt"',
        'filename="\xfc\xe4\xf6"',
        'filename="M\xfcller Stra\xdfe.pdf"',
        'filename="\xed\xa0\x80"',
        'filename="\xc0\xaf"',
    ],
)
def test_a_name_with_invalid_bytes_is_rejected(parameters: str) -> None:
    with pytest.raises(BadEncoding):
        named(parameters)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (f"=?UTF-8?B?{B64}?=", "文/ÿ?.pdf"),
        ("=?ISO-8859-1?Q?=FCbung.txt?=", "übung.txt"),
        ("=?utf-8*en?q?a_b=20c?=", "a b c"),
        ("=?UTF-8?B?w6TDtsO8LnR4dA?=", "äöü.txt"),
        ("=?UTF-8?Q?a?=\t =?UTF-8?Q?b?= c", "ab c"),
        ("=?UTF-8?B?w6TD?= =?UTF-8?B?ti50eHQ=?=", "äö.txt"),
        ("=?UTF-8?Q?=C3=A4?= =?ISO-8859-1?Q?=E4?=", "ää"),
        ("report =?UTF-8?Q?=C3=A4?=.pdf", "report ä.pdf"),
        ("=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?koi8-r?B?0NLJ?=", "при"),
        ("=?UTF-8?Q??=", ""),
        ("is it =?", "is it =?"),
        ("=?UTF-8?Q?never closed", "=?UTF-8?Q?never closed"),
        ("a=?b?c.txt", "a=?b?c.txt"),
    ],
)
def test_encoded_words_are_decoded(sent: str, read: str) -> None:
    assert decode_encoded_words(sent) == read


@pytest.mark.parametrize(
    "sent",
    ["=?UTF-8?B?w6/D?=", "=?foo?Q?a/b?=", "=?UTF-8?X?a/b?=", "=?UTF-8?B?/?=", "=?UTF-8?B?a b?=", "=?utf-7?Q?a?="],
)
def test_a_malformed_encoded_word_is_rejected(sent: str) -> None:
    with pytest.raises(BadEncoding):
        decode_encoded_words(sent)


@pytest.mark.parametrize(
    "query", [b"name=%FC", b"name=\xfc", b"name=%ED%A0%80", b"name=%C0%AF", b"%ff=1", b"a=%C3&b=%BC"]
)
def test_a_query_that_is_not_utf8_is_rejected(query: bytes) -> None:
    with pytest.raises(BadEncoding):
        check_query(query)


@pytest.mark.parametrize("query", [b"", b"name=%C3%BC", "name=ü".encode(), b"name=100%", b"name=%zz", b"name=a%00b"])
def test_a_query_in_utf8_passes(query: bytes) -> None:
    check_query(query)


REFUSED = {
    "a part in Latin-1": (form(PART + b'filename="\xfcbung.txt"\r\n\r\nx'), ""),
    "nothing but Latin-1": (form(PART + b'filename="\xfc\xe4\xf6"\r\n\r\nx'), ""),
    "a broken extended name": (form(PART + b"filename*=UTF-8''%FC\r\n\r\nx"), ""),
    "a form in Latin-1 by its own word": (
        form(part("_charset_", b"iso-8859-1"), part("file", b"x", "ü.txt")), "",
    ),
    "and behind a small file": (form(part("file", b"x", "ü.txt"), part("_charset_", b"ISO-8859-1")), ""),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_a_badly_encoded_name_leaves_nothing(client: FlaskClient, mode: str) -> None:
    for body, query in REFUSED.values():
        answer = client.post(f"/{mode}_upload", data=body, content_type=FORM, query_string=query)
        assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/bad-encoding")
    for query in ("name=%FCbung.txt", "name=\xfc", "name=a&expires_in=%FF", "name=%3D%3FUTF-8%3FB%3Fw6/D%3F%3D"):
        answer = client.post(
            f"/{mode}_upload", data=b"x", content_type="text/plain", environ_overrides={"QUERY_STRING": query}
        )
        assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/bad-encoding"), query
    drain(client.application)

    assert (
        list(queries.page(None, 1)),
        list(current_services().storage.list_objects()),
        list(current_services().spool.files()),
    ) == (
        [],
        [],
        [],
    )


@pytest.mark.parametrize("path", ["/files", "/files.zip", "/files/x", "/files/x/content", "/files/x/link"])
def test_no_endpoint_accepts_a_query_that_is_not_utf8(client: FlaskClient, path: str) -> None:
    for query in ("prefix=%FC", "prefix=\xfc", "ids=\xff", "limit=\xe9"):
        answer = client.get(path, environ_overrides={"QUERY_STRING": query})
        assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/bad-encoding")


@pytest.mark.parametrize("mode", MODES)
def test_a_name_is_returned_as_intended(client: FlaskClient, mode: str) -> None:
    sent = {
        f'filename="=?UTF-8?B?{base64.b64encode("äöü.txt".encode()).decode()}?="': "äöü.txt",
        "filename*=ISO-8859-1''%FCbung.txt": "übung.txt",
        'filename="übung.txt"': "übung.txt",
    }
    for parameters, name in sent.items():
        answer = client.post(f"/{mode}_upload", data=form(PART + parameters.encode() + b"\r\n\r\nx"), content_type=FORM)
        assert answer.get_json()["name"] == name
    raw = client.post(f"/{mode}_upload?name={quote('übung.txt')}", data=b"x", content_type="text/plain")
    utf8 = form(part("_charset_", b"utf-8"), part("file", b"x", "ü.txt"))
    ascii = form(part("_charset_", b"iso-8859-1"), part("file", b"x", "u.txt"))

    assert raw.get_json()["name"] == "übung.txt"
    assert client.post(f"/{mode}_upload", data=utf8, content_type=FORM).get_json()["name"] == "ü.txt"
    assert client.post(f"/{mode}_upload", data=ascii, content_type=FORM).get_json()["name"] == "u.txt"
