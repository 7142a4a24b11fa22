"""Forms as browsers, uploaders and programs send them: fields before and after the file, arrays of fields, no file."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import file
from database.engine import execute
from lifecycle import queries, transitions
from models import File, UploadStatus
from problems import (
    BadEncoding,
    FilenameTooLong,
    IncompleteBody,
    MissingFile,
    MissingFilename,
    Problem,
    TooManyFiles,
    UnexpectedFile,
    UnsupportedMediaType,
)  # fmt: skip
from services import current_services
from tests.conftest import drain
from tests.fakes import FORM, breaking, eventually, form, part
from tests.wsgi import parse_upload

MODES = ("normal", "async", "celery")
FILE = part("file", b"content", "a.txt", "text/plain")
LARGE = part("file", b"x" * (2 << 20), "a.txt", "text/plain")
NOTHING_CHOSEN = part("file", b"", "", "application/octet-stream")
SIZES = pytest.mark.parametrize("sizes", [[1 << 20], [1]], ids=["at once", "byte by byte"])


@pytest.mark.parametrize(
    "field", ["file", "file[]", "file[0]", "file[99999999]", "files", "files[]", "files[0]", "filepond"]
)
@SIZES
def test_the_file_may_stand_in_a_field_of_any_usual_name(field: str, sizes: list[int]) -> None:
    sent, body = parse_upload(form(part(field, b"content", "a.txt")), sizes=sizes)

    assert (sent.name, body) == ("a.txt", b"content")


@pytest.mark.parametrize(
    "field", ["File", "file[a]", "file[0][1]", "file[", "file[]x", "file[-1]", "filepond[]", "filer", "upload", ""]
)
def test_a_file_in_another_field_is_refused_with_the_field_to_use(field: str) -> None:
    with pytest.raises(UnexpectedFile, match="Send it in the field 'file'"):
        parse_upload(form(part(field, b"content", "a.txt")))


TEXTS = {
    "FilePond": [part("filepond", b"{}"), part("filepond", b"content", "a.txt")],
    "FilePond named file": [part("file", b"{}"), FILE],
    "a hidden empty field": [part("file", b""), FILE],
    "metadata behind": [FILE, part("file", b"{}")],
    "metadata around": [part("file", b"{}"), FILE, part("files[]", b"2")],
    "an input in which nothing was chosen": [NOTHING_CHOSEN, FILE],
    "one behind": [FILE, NOTHING_CHOSEN],
    "one of another name": [part("photo", b"", ""), FILE],
    "a type but no filename": [part("file", b"{}", content_type="application/json"), FILE],
    "Uppy": [part("relativePath", b"null"), part("name", b"a.txt"), part("type", b"text/plain"), FILE],
}


@pytest.mark.parametrize("row", TEXTS)
@SIZES
def test_a_part_without_a_filename_is_text_whatever_its_field(row: str, sizes: list[int]) -> None:
    sent, body = parse_upload(form(*TEXTS[row]), sizes=sizes)

    assert (sent.name, body) == ("a.txt", b"content")


MIXED = part("file", b"--b\r\n\r\nx\r\n--b--", content_type="multipart/mixed; boundary=b")
NO_FILE: dict[str, tuple[list[bytes], type[Problem], str]] = {
    "text alone": ([part("file", b"README.md")], MissingFilename, "curl: -F file=@name, not file=name"),
    "empty text alone": ([part("file", b"")], MissingFilename, "no filename"),
    "much text": ([part("file", b"x" * 70_000)], MissingFilename, "no filename"),
    "text and no choice": ([NOTHING_CHOSEN, part("file", b"{}")], MissingFilename, "no filename"),
    "no choice and text": ([part("file", b"{}"), NOTHING_CHOSEN], MissingFilename, "no filename"),
    "no choice": ([NOTHING_CHOSEN], MissingFile, "No file was chosen"),
    "bytes under an empty filename": ([part("file", b"x", "")], MissingFilename, "filename is empty"),
    "such bytes behind the file": ([FILE, part("files", b"x", "")], MissingFilename, "filename is empty"),
    "other fields": ([part("a", b"1"), part("name", b"b")], MissingFile, "Send it in the field 'file'"),
    "two files": ([FILE, FILE], TooManyFiles, "one request per file"),
    "axios": ([part("file[]", b"1", "a"), part("file[]", b"2", "b")], TooManyFiles, "one request per file"),
    "Uppy bundle": ([part("files[]", b"1", "a"), part("files[]", b"2", "b")], TooManyFiles, "bundle: false"),
    "Dropzone": ([part("file[0]", b"1", "a"), part("file[1]", b"2", "b")], TooManyFiles, "uploadMultiple: false"),
    "curl -F file=@a,b": ([MIXED], TooManyFiles, "several files in one part"),
    "one in another field": ([FILE, part("photo", b"2", "b")], UnexpectedFile, "'photo'"),
}  # fmt: skip


@pytest.mark.parametrize("row", NO_FILE)
@SIZES
def test_a_form_without_exactly_one_file_is_refused_with_what_to_send(row: str, sizes: list[int]) -> None:
    parts, problem, said = NO_FILE[row]
    with pytest.raises(problem, match=said) as refused:
        parse_upload(form(*parts), sizes=sizes if len(form(*parts)) < 9000 else [9000])
    assert type(refused.value) is problem


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "BASE64", "x-uuencode", "x" * 5000])
@pytest.mark.parametrize("place", ["file", "field before", "field behind"])
def test_an_encoded_part_is_refused(encoding: str, place: str) -> None:
    head = f"Content-Transfer-Encoding: {encoding}\r\n".encode()
    parts = {
        "file": [head + FILE],
        "field before": [head + part("a", b"1"), FILE],
        "field behind": [FILE, head + part("a", b"1")],
    }
    with pytest.raises(UnsupportedMediaType, match="Content-Transfer-Encoding"):
        parse_upload(form(*parts[place]))


@pytest.mark.parametrize("encoding", ["binary", "8bit", "7bit", "8BIT", ""])
def test_a_part_that_says_that_it_is_not_encoded_is_taken(encoding: str) -> None:
    assert parse_upload(form(f"Content-Transfer-Encoding: {encoding}\r\n".encode() + FILE))[1] == b"content"


def with_fields(*fields: tuple[str, str]) -> list[bytes]:
    return [part(name, value.encode()) for name, value in fields]


def send(
    client: FlaskClient, mode: str, *parts: bytes, query: str = "", headers: dict[str, str] | None = None
) -> TestResponse:
    data = form(*parts)
    return client.post(f"/{mode}_upload{query}", data=data, content_type=FORM, headers=headers or {})


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
def test_fields_in_front_of_the_file_agree_with_the_head(
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
def test_fields_that_contradict_each_other_or_make_no_sense_are_refused(client: FlaskClient, row: str) -> None:
    query, fields, parameter = WRONG[row]
    for mode in MODES:
        answer = send(client, mode, *with_fields(*fields), FILE, query=query)

        assert answer.get_json()["type"] == "/problems/invalid-parameter"
        assert answer.get_json()["parameter"] == parameter
    assert_nothing_is_kept(client)


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
def test_a_field_that_can_not_be_read_is_refused(field: bytes, value: bytes, problem: type[Problem]) -> None:
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
def test_a_wish_behind_the_file_is_refused_and_leaves_nothing(
    client: FlaskClient, mode: str, sent: bytes, field: str, value: str
) -> None:
    answer = send(client, mode, sent, *with_fields((field, value)))

    assert (answer.status_code, answer.get_json()["parameter"]) == (400, field)
    assert "in front of the file" in answer.get_json()["detail"]
    assert_nothing_is_kept(client)


def test_a_field_behind_the_file_that_repeats_what_holds_is_fine(client: FlaskClient) -> None:
    before, after = (
        with_fields(("expires_in", "60")),
        with_fields(("name", "x/a.txt"), ("expires_in", "60"), ("x", "y")),
    )

    assert send(client, "normal", *before, FILE, *after).status_code == 201
    assert send(client, "normal", FILE, *after, query="?expires_in=60").status_code == 201
    assert send(client, "normal", FILE, *with_fields(("name", ""), ("expires_in", ""))).status_code == 201


@pytest.mark.parametrize("mode", MODES)
def test_an_idempotency_key_may_stand_in_a_field(client: FlaskClient, mode: str) -> None:
    key = with_fields(("idempotency_key", "two clicks"))
    first, again = send(client, mode, *key, FILE), send(client, mode, *key, FILE)
    in_header = send(client, mode, *key, FILE, headers={"Idempotency-Key": "two clicks"})
    other = send(client, mode, *key, FILE, headers={"Idempotency-Key": "another"})

    assert first.get_json()["id"] == again.get_json()["id"] == in_header.get_json()["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.get_json()["parameter"] == "idempotency_key"


def assert_nothing_is_kept(client: FlaskClient) -> None:
    """Neither a row nor bytes nor a count of an owner."""
    drain(client.application)
    assert eventually(lambda: all_rows() == [])
    assert (list(current_services().storage.list_objects()), list(current_services().spool.files())) == ([], [])


def all_rows() -> list[str]:
    """Ids of all rows, deleted ones too."""
    return [row.id for row in execute(File.__table__.select(), {})]  # type: ignore[attr-defined]


BEHIND: dict[str, tuple[bytes, int, str]] = {
    "another file": (form(LARGE, FILE), 400, "too-many-files"),
    "a file in another field": (form(LARGE, part("photo", b"x", "b")), 400, "unexpected-file"),
    "a chunk's numbers": (form(LARGE, part("chunk", b"0"), part("chunks", b"2")), 400, "chunked-upload"),
    "no end": (form(LARGE, end=b""), 400, "malformed-multipart"),
    "many fields": (form(LARGE, *[part(f"f{number}", b"") for number in range(30)]), 413, "form-too-large"),
    "a long field": (form(LARGE, part("text", b"x" * 70_000)), 413, "form-too-large"),
    "too many bytes": (form(part("file", b"x" * (10 << 20) + b"x", "a")), 413, "too-large"),
    "an encoded part": (
        form(LARGE, b"Content-Transfer-Encoding: base64\r\n" + part("a", b"")), 415, "unsupported-media-type"
    ),
    "a broken filename": (form(LARGE, part("b", b"", "NAME")).replace(b"NAME", b"\xff"), 400, "bad-encoding"),
    "a charset": (form(LARGE.replace(b"a.txt", "ä".encode()), part("_charset_", b"latin-1")), 400, "bad-encoding"),
    "a name": (form(LARGE, part("name", b"n" * 300)), 400, "filename-too-long"),
}  # fmt: skip


@pytest.mark.parametrize("row", BEHIND)
def test_a_form_that_turns_out_invalid_behind_a_large_file_leaves_nothing(client: FlaskClient, row: str) -> None:
    body, status, slug = BEHIND[row]
    for mode in MODES:
        key = {"Idempotency-Key": mode}
        answer = client.post(f"/{mode}_upload", data=body, content_type=FORM, headers=key)

        assert (answer.status_code, answer.get_json()["type"]) == (status, f"/problems/{slug}")
        assert_nothing_is_kept(client)
        assert send(client, mode, FILE, headers=key).status_code in (201, 202), "the key is free again"
        drain(client.application)
        assert client.delete(f"/files/{queries.page(None, 1)[0].id}").status_code == 204
        assert_nothing_is_kept(client)


class TestDiscard:
    @pytest.fixture
    def held(self, app: Flask) -> File:
        row = file.new_file("a", "text/plain", "normal")
        transitions.insert(row, 30, status=UploadStatus.PROCESSING)
        return row

    def test_the_row_is_gone_for_every_look_up_at_once(self, held: File) -> None:
        assert transitions.discard(held, "too-many-files")
        assert queries.get(held.id) is None

    def test_another_attempt_keeps_its_file(self, held: File) -> None:
        held.attempt = 7
        assert not transitions.discard(held, "too-many-files")
        held.attempt = 1
        assert queries.get(held.id)

    def test_a_file_that_was_deleted_meanwhile_stays_deleted(self, held: File) -> None:
        assert transitions.delete(held)
        assert not transitions.discard(held, "too-many-files")


def test_a_client_that_leaves_still_finds_out_what_became_of_its_file(app: Flask) -> None:
    row = file.new_file("a", "text/plain", "normal")
    file.insert_claimed(row, 9)
    with pytest.raises(IncompleteBody):
        file.store(row, breaking(b"x", IncompleteBody()))
    found = queries.get(row.id)
    assert found
    assert (found.upload_status, found.error) == ("ERROR", "client-disconnected")
