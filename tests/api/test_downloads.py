"""A stored file is downloaded with its bytes, name and safe headers."""

from __future__ import annotations

import hashlib

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

import models
from auth import api_keys
from lifecycle import transitions
from problems import NotFailed
from tests.api.downloads import BODY, FILE_HEADERS, get, store
from tests.api.helpers import UNKNOWN, assert_problem
from tests.auth.helpers import bearer
from tests.harness.factories import claim, pending_row

PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)


def test_a_file_is_downloaded_unchanged(client: FlaskClient) -> None:
    answer = get(client, store(client))

    assert (answer.status_code, answer.data) == (200, BODY)
    assert dict(answer.headers) | FILE_HEADERS | {
        "Content-Length": "1024",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="a.bin"',
        "Accept-Ranges": "bytes",
        "ETag": f'"{hashlib.sha256(BODY).hexdigest()}"',
    } == dict(answer.headers)
    assert "Content-Range" not in answer.headers


def test_the_status_links_to_the_content(client: FlaskClient) -> None:
    links = client.get(f"/files/{store(client)}").get_json()["links"]

    assert links["content"] == f"{links['self']}/content"
    assert client.get(links["content"]).data == BODY


@pytest.mark.parametrize(
    ("body", "name", "content_type", "disposition"),
    [
        (PNG, "a.png", "image/png", 'inline; filename="a.png"'),
        (b"<svg onload='alert(1)'/>", "a.svg", "application/octet-stream", 'attachment; filename="a.svg"'),
        (b"<!DOCTYPE html>", "a.html", "application/octet-stream", 'attachment; filename="a.html"'),
        (b"x", 'a"b;c.txt', "application/octet-stream",
         "attachment; filename=\"abc.txt\"; filename*=UTF-8''a%22b%3Bc.txt"),
        (b"x", "文 档.txt", "application/octet-stream",
         "attachment; filename=\"file.txt\"; filename*=UTF-8''%E6%96%87%20%E6%A1%A3.txt"),
    ],
)  # fmt: skip
def test_a_file_has_its_detected_type_and_its_uploaded_name(
    client: FlaskClient, body: bytes, name: str, content_type: str, disposition: str
) -> None:
    answer = get(client, store(client, body, name))

    assert FILE_HEADERS.items() <= dict(answer.headers).items()
    assert (answer.headers["Content-Type"], answer.headers["Content-Disposition"]) == (content_type, disposition)


@pytest.mark.parametrize(
    "path", ["/files/{}/content", "/files/{}/content?redirect=1", "/files/{}/link", "/files.zip?ids={}"]
)
def test_a_file_that_is_not_stored_is_not_ready(client: FlaskClient, path: str) -> None:
    """Retry-After is sent as long as the file may still be stored."""
    row = pending_row()
    answer = client.get(path.format(row.id))
    assert_problem(answer, 409, "not-ready")
    assert (answer.get_json()["file_status"], answer.get_json()["ids"]) == ("PENDING", [row.id])
    assert answer.headers["Retry-After"] == "1"

    row = claim(row)
    assert client.get(path.format(row.id)).get_json()["file_status"] == "PROCESSING"
    transitions.set_error(row, NotFailed.slug())
    answer = client.get(path.format(row.id))
    assert (answer.status_code, answer.get_json()["file_status"]) == (409, "ERROR")
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("path", ["/files/{}/content", "/files/{}/link", "/files.zip?ids={}"])
def test_a_file_of_another_owner_is_not_found(client: FlaskClient, path: str) -> None:
    alice, bob = (bearer(api_keys.create(name, api_keys.SCOPES, None)) for name in ("alice", "bob"))
    mine = store(client, **alice)

    assert client.get(path.format(mine), headers=alice).status_code == 200
    for id in (mine, UNKNOWN, "abc", "%00", "1%20OR%201=1", UNKNOWN.upper()):
        assert_problem(client.get(path.format(id), headers=bob), 404, "not-found")


@pytest.mark.parametrize("redirect", ["2", "yes", ""])
def test_an_invalid_redirect_parameter_is_refused(client: FlaskClient, redirect: str) -> None:
    assert_problem(client.get(f"/files/{store(client)}/content?redirect={redirect}"), 400, "invalid-parameter")


def test_a_download_takes_one_statement(app: Flask, client: FlaskClient) -> None:
    """All headers are in the row."""
    id = store(client)
    seen: list[str] = []
    event.listen(models.db.engine, "before_cursor_execute", lambda *call: seen.append(call[2].split()[0]), named=False)
    get(client, id)

    assert seen == ["SELECT"]
