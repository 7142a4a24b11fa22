"""Forms whose error follows the file: the file is discarded."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

import file
from lifecycle import queries, transitions
from models import FileRow
from problems import IncompleteBody
from tests.api.forms import FILE, LARGE, MODES, assert_nothing_is_stored, send
from tests.conftest import drain
from tests.fakes import FORM, breaking, form, part
from tests.harness.factories import claimed_file, uploading_file

INVALID_AFTER_THE_FILE: dict[str, tuple[bytes, int, str]] = {
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


@pytest.mark.parametrize("row", INVALID_AFTER_THE_FILE)
def test_a_form_that_is_invalid_after_a_large_file_leaves_nothing(client: FlaskClient, row: str) -> None:
    body, status, slug = INVALID_AFTER_THE_FILE[row]
    for mode in MODES:
        key = {"Idempotency-Key": mode}
        answer = client.post(f"/{mode}_upload", data=body, content_type=FORM, headers=key)

        assert (answer.status_code, answer.get_json()["type"]) == (status, f"/problems/{slug}")
        assert_nothing_is_stored(client)
        assert send(client, mode, FILE, headers=key).status_code in (201, 202), "the key is free again"
        drain(client.application)
        assert client.delete(f"/files/{queries.page(None, 1)[0].id}").status_code == 204
        assert_nothing_is_stored(client)


class TestDiscard:
    @pytest.fixture
    def row(self, app: Flask) -> FileRow:
        return claimed_file()

    def test_a_discarded_file_is_not_found_at_once(self, row: FileRow) -> None:
        assert transitions.set_error_and_deleted(row, "too-many-files")
        assert queries.get(row.id) is None

    def test_another_attempt_keeps_its_file(self, row: FileRow) -> None:
        assert not transitions.set_error_and_deleted(row._replace(attempt=7), "too-many-files")
        assert queries.get(row.id)

    def test_a_file_that_was_deleted_meanwhile_stays_deleted(self, row: FileRow) -> None:
        assert transitions.mark_deleted(row)
        assert not transitions.set_error_and_deleted(row, "too-many-files")


def test_a_disconnected_client_finds_its_file_failed(app: Flask) -> None:
    row = uploading_file(9)
    with pytest.raises(IncompleteBody):
        file.store(row, breaking(b"x", IncompleteBody()))
    found = queries.get(row.id)
    assert found
    assert (found.upload_status, found.error) == ("ERROR", "client-disconnected")
