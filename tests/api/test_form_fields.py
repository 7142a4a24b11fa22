"""The form fields `name`, `expires_in` and `idempotency_key`, before and after the file."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from lifecycle import queries
from problems import BadEncoding, FilenameTooLong, MissingFilename, Problem
from tests.api.forms import FILE, LARGE, MODES, assert_nothing_is_stored, send, with_fields
from tests.fakes import form, part
from tests.wsgi import parse_upload


@pytest.mark.parametrize("mode", MODES)
def test_a_form_may_carry_a_name_and_an_expiry(client: FlaskClient, mode: str) -> None:
    fields = with_fields(("name", "b.txt"), ("expires_in", "60"), ("other", "1"))
    found = queries.get(send(client, mode, *fields, FILE).get_json()["id"])

    assert found
    assert found.expires_at
    assert (found.name, round(found.expires_at - found.created_at)) == ("b.txt", 60)


@pytest.mark.parametrize(
    ("query", "fields", "name"),
    [
        ("", [("name", "")], "a.txt"),
        ("", [("name", "  ")], "a.txt"),
        ("", [("name", "folder/b.txt")], "b.txt"),
        ("", [("name", "e\u0301")], "\u00e9"),
        ("", [("name", "=?UTF-8?B?w6Q=?=")], "ä"),
        ("", [("name", "b"), ("name", "b")], "b"),
        ("/b", [("name", "b")], "b"),
        ("?name=b", [("name", "x/b")], "b"),
        ("?name=b", [], "b"),
        ("?expires_in=60", [("expires_in", "60")], "a.txt"),
        ("", [("expires_in", "")], "a.txt"),
        ("", [("Name", "b"), ("EXPIRES_IN", "x")], "a.txt"),
    ],
)
def test_fields_before_the_file_may_repeat_the_query_and_path(
    client: FlaskClient, query: str, fields: list[tuple[str, str]], name: str
) -> None:
    answer = send(client, "normal", *with_fields(*fields), FILE, query=query)

    assert (answer.status_code, answer.get_json()["name"]) == (201, name)


WRONG: dict[str, tuple[str, list[tuple[str, str]], str]] = {
    "two names": ("", [("name", "b"), ("name", "c")], "name"),
    "a name beside the query's": ("?name=b", [("name", "c")], "name"),
    "a name beside the path's": ("/b", [("name", "c")], "name"),
    "two expiries": ("", [("expires_in", "60"), ("expires_in", "61")], "expires_in"),
    "an expiry beside the query's": ("?expires_in=60", [("expires_in", "61")], "expires_in"),
    "no number": ("", [("expires_in", "1h")], "expires_in"),
    "zero": ("", [("expires_in", "0")], "expires_in"),
    "other digits": ("", [("expires_in", "\u0661")], "expires_in"),
    "too many digits": ("", [("expires_in", "9" * 5000)], "expires_in"),
    "two keys": ("", [("idempotency_key", "a"), ("idempotency_key", "b")], "idempotency_key"),
}


@pytest.mark.parametrize("row", WRONG)
def test_contradictory_and_invalid_fields_are_refused(client: FlaskClient, row: str) -> None:
    query, fields, parameter = WRONG[row]
    for mode in MODES:
        answer = send(client, mode, *with_fields(*fields), FILE, query=query)

        assert answer.get_json()["type"] == "/problems/invalid-parameter"
        assert answer.get_json()["parameter"] == parameter
    assert_nothing_is_stored(client)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (b"name", b"\xfc", BadEncoding),
        (b"expires_in", b"\xff", BadEncoding),
        (b"name", b"..", MissingFilename),
        (b"name", b"n" * 256, FilenameTooLong),
        (b"name", b"=?klingon?q?a?=", BadEncoding),
    ],
)
def test_a_field_with_an_invalid_name_or_encoding_is_refused(
    field: bytes, value: bytes, problem: type[Problem]
) -> None:
    with pytest.raises(problem):
        parse_upload(form(part(field.decode(), value), FILE))


def test_a_name_in_another_charset_is_refused() -> None:
    for parts in ([part("_charset_", b"latin-1"), part("name", "ä".encode())], [part("name", "ä".encode())]):
        other = [part("_charset_", b"latin-1")] if len(parts) == 1 else []
        with pytest.raises(BadEncoding):
            parse_upload(form(*parts, *other, FILE))


@pytest.mark.parametrize(
    ("field", "value"), [("expires_in", "60"), ("name", "b.txt"), ("name", "\u202e"), ("idempotency_key", "k")]
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sent", [FILE, LARGE], ids=["small", "large"])
def test_an_option_after_the_file_is_refused_and_leaves_nothing(
    client: FlaskClient, mode: str, sent: bytes, field: str, value: str
) -> None:
    answer = send(client, mode, sent, *with_fields((field, value)))

    assert (answer.status_code, answer.get_json()["parameter"]) == (400, field)
    assert "before the file" in answer.get_json()["detail"]
    assert_nothing_is_stored(client)


def test_a_field_after_the_file_may_repeat_the_effective_value(client: FlaskClient) -> None:
    before, after = (
        with_fields(("expires_in", "60")),
        with_fields(("name", "x/a.txt"), ("expires_in", "60"), ("x", "y")),
    )

    assert send(client, "normal", *before, FILE, *after).status_code == 201
    assert send(client, "normal", FILE, *after, query="?expires_in=60").status_code == 201
    assert send(client, "normal", FILE, *with_fields(("name", ""), ("expires_in", ""))).status_code == 201


@pytest.mark.parametrize("mode", MODES)
def test_a_form_may_carry_an_idempotency_key(client: FlaskClient, mode: str) -> None:
    key = with_fields(("idempotency_key", "two clicks"))
    first, again = send(client, mode, *key, FILE), send(client, mode, *key, FILE)
    in_header = send(client, mode, *key, FILE, headers={"Idempotency-Key": "two clicks"})
    other = send(client, mode, *key, FILE, headers={"Idempotency-Key": "another"})

    assert first.get_json()["id"] == again.get_json()["id"] == in_header.get_json()["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.get_json()["parameter"] == "idempotency_key"
