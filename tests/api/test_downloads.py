"""Files go out as they came in, in whole and in part, with headers that keep a browser from running them."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

import file
import models
from app import create_app
from auth import api_keys
from lifecycle import queries, transitions
from models import File
from problems import NotFailed
from services import current_services
from storage.base import StorageDenied, StorageError, StorageMissing, StorageNoBucket, StorageUnavailable, Stream
from storage.memory import MemoryStorage
from tests.api.test_endpoints import UNKNOWN, assert_problem
from tests.auth.helpers import bearer
from tests.fakes import FORM, form, part

BODY = bytes(range(256)) * 4
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
FILE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}


def sent(client: FlaskClient, body: bytes = BODY, name: str = "a.bin", **headers: str) -> str:
    answer = client.post(
        "/normal_upload",
        query_string={"name": name},
        data=body,
        content_type="text/html",
        headers=headers,
        environ_overrides={"CONTENT_LENGTH": str(len(body))},
    )
    assert answer.status_code == 201
    return answer.get_json()["id"]  # type: ignore[no-any-return]


def waiting(name: str = "a.bin") -> File:
    """A file that is accepted, and not stored."""
    row = file.new_file(name, "text/plain", "async")
    row.size = 3
    transitions.insert(row, 60)
    return row


def get(client: FlaskClient, id: str, **headers: str) -> TestResponse:
    return client.get(
        f"/files/{id}/content", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_a_file_is_downloaded_as_it_was_sent(client: FlaskClient) -> None:
    answer = get(client, sent(client))

    assert (answer.status_code, answer.data) == (200, BODY)
    assert dict(answer.headers) | FILE | {
        "Content-Length": "1024",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="a.bin"',
        "Accept-Ranges": "bytes",
        "ETag": f'"{hashlib.sha256(BODY).hexdigest()}"',
    } == dict(answer.headers)
    assert "Content-Range" not in answer.headers


def test_the_file_as_json_says_where_its_bytes_are(client: FlaskClient) -> None:
    links = client.get(f"/files/{sent(client)}").get_json()["links"]

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
def test_a_file_has_the_type_that_was_found_and_the_name_it_was_sent_with(
    client: FlaskClient, body: bytes, name: str, content_type: str, disposition: str
) -> None:
    """B48, B27."""
    answer = get(client, sent(client, body, name))

    assert FILE.items() <= dict(answer.headers).items()
    assert (answer.headers["Content-Type"], answer.headers["Content-Disposition"]) == (content_type, disposition)


@pytest.mark.parametrize(
    ("asked", "status", "first", "end"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=0-9", 206, 0, 10),
        ("bytes=-5", 206, 1019, 1024),
        ("bytes=1020-", 206, 1020, 1024),
        ("bytes=0-", 206, 0, 1024),
        ("bytes=-4000", 206, 0, 1024),
        ("bytes=10-5", 200, 0, 1024),
        ("bytes=0-1,5-6", 200, 0, 1024),
        ("lines=1-2", 200, 0, 1024),
    ],
)
def test_a_range_gets_its_bytes(client: FlaskClient, asked: str, status: int, first: int, end: int) -> None:
    """B38."""
    answer = get(client, sent(client), Range=asked)

    assert (answer.status_code, answer.data) == (status, BODY[first:end])
    assert answer.headers["Content-Length"] == str(end - first)
    assert answer.headers.get("Content-Range") == (f"bytes {first}-{end - 1}/1024" if status == 206 else None)
    assert FILE.items() <= dict(answer.headers).items()


def test_a_range_beyond_the_end_is_told_the_size(client: FlaskClient) -> None:
    """B39."""
    answer = get(client, sent(client), Range="bytes=1024-")

    assert_problem(answer, 416, "range-not-satisfiable")
    assert answer.get_json()["size"] == 1024
    assert answer.headers["Content-Range"] == "bytes */1024"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_empty_file_is_a_file(client: FlaskClient) -> None:
    """B41."""
    id = sent(client, b"")

    for answer in (get(client, id), get(client, id, Range="bytes=-5")):
        assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert_problem(get(client, id, Range="bytes=0-"), 416, "range-not-satisfiable")


def test_who_has_the_file_is_told_so(client: FlaskClient) -> None:
    id = sent(client)
    first = get(client, id)
    again = get(client, id, If_None_Match=first.headers["ETag"])
    later = get(client, id, If_Modified_Since=first.headers["Last-Modified"])

    for answer in (again, later):
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == first.headers["ETag"]
        assert FILE.items() <= dict(answer.headers).items()
        assert "Content-Disposition" not in answer.headers
    assert_problem(get(client, id, If_Match='"other"'), 412, "precondition-failed")
    assert get(client, id, If_None_Match='"other"', Range="bytes=0-1").status_code == 206


def test_a_range_goes_on_only_with_the_same_file(client: FlaskClient) -> None:
    id = sent(client)
    etag = get(client, id).headers["ETag"]

    assert get(client, id, Range="bytes=9-", If_Range=etag).status_code == 206
    assert get(client, id, Range="bytes=9-", If_Range='"other"').data == BODY
    assert get(client, id, Range="bytes=4000-", If_Range='"other"').data == BODY


def test_a_head_has_all_headers_and_asks_the_storage_for_nothing(client: FlaskClient, settings: dict[str, str]) -> None:
    id = sent(client)
    told = dict(get(client, id).headers)
    client = create_app(settings, {"storage": Failing(StorageUnavailable())}).test_client()
    answer = client.head(f"/files/{id}/content", headers={"Range": "bytes=0-9"})

    assert (answer.status_code, answer.data) == (200, b"")
    assert {**dict(answer.headers), "X-Request-ID": ""} == {**told, "X-Request-ID": ""}


@pytest.mark.parametrize(
    "path", ["/files/{}/content", "/files/{}/content?redirect=1", "/files/{}/link", "/files.zip?ids={}"]
)
def test_a_file_that_is_not_stored_is_not_ready(client: FlaskClient, path: str) -> None:
    """B37. One that may still be stored says when to come back."""
    row = waiting()
    answer = client.get(path.format(row.id))
    assert_problem(answer, 409, "not-ready")
    assert (answer.get_json()["file_status"], answer.get_json()["ids"]) == ("PENDING", [row.id])
    assert answer.headers["Retry-After"] == "1"

    transitions.claim(row, 60)
    assert client.get(path.format(row.id)).get_json()["file_status"] == "PROCESSING"
    transitions.fail(row, NotFailed.slug())
    answer = client.get(path.format(row.id))
    assert (answer.status_code, answer.get_json()["file_status"]) == (409, "ERROR")
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("path", ["/files/{}/content", "/files/{}/link", "/files.zip?ids={}"])
def test_a_file_of_another_owner_is_as_unknown_as_any(client: FlaskClient, path: str) -> None:
    """B36."""
    alice, bob = (bearer(api_keys.create(name, api_keys.SCOPES, None)) for name in ("alice", "bob"))
    mine = sent(client, **alice)

    assert client.get(path.format(mine), headers=alice).status_code == 200
    for id in (mine, UNKNOWN, "abc", "%00", "1%20OR%201=1", UNKNOWN.upper()):
        assert_problem(client.get(path.format(id), headers=bob), 404, "not-found")


class Failing(MemoryStorage):
    """Raises `error` when an object is opened; or ends, or raises, after its first `sent` bytes."""

    def __init__(self, error: StorageError | None, sent: int | None = None, more: bytes = b"") -> None:
        super().__init__()
        self.error, self.sent, self.more, self.closed = error, sent, more, 0

    def open(self, key: str, start: int = 0, length: int | None = None, **options: Any) -> Stream:
        if self.error and self.sent is None:
            raise self.error
        return self._stream(bytes(super().open(key, start, length, **options).__next__()))

    def _stream(self, body: bytes) -> Any:
        try:
            yield body[: self.sent]
            if self.error:
                raise self.error
            yield self.more
        finally:
            self.closed += 1


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (StorageMissing(), 404, "object-missing"),
        (StorageDenied(), 502, "storage-denied"),
        (StorageNoBucket(), 502, "storage-no-bucket"),
        (StorageUnavailable(), 503, "storage-unavailable"),
    ],
)
@pytest.mark.parametrize("path", ["/files/{}/content", "/files.zip?ids={}"])
def test_a_storage_that_fails_before_the_first_byte_is_answered_with_a_problem(
    app: Flask, settings: dict[str, str], path: str, error: StorageError, status: int, slug: str
) -> None:
    failing = Failing(None)
    client = create_app(settings, {"storage": failing}).test_client()
    id = sent(client)
    failing.error = error

    answer = client.get(path.format(id))
    assert_problem(answer, status, slug)
    assert "Content-Disposition" not in answer.headers
    assert_nothing_is_held(client)


def test_an_object_of_another_size_is_a_problem(client: FlaskClient) -> None:
    id = sent(client)
    row = queries.get(id)
    assert row is not None
    current_services().storage.put(row.key, iter([b"other"]), content_type="text/plain")

    assert_problem(get(client, id), 502, "storage-mismatch")
    assert_problem(get(client, id, Range="bytes=0-1"), 502, "storage-mismatch")


@pytest.mark.parametrize(
    ("error", "sent_bytes", "more"), [(StorageUnavailable(), 1000, b""), (None, 1000, b""), (None, 1024, b"more")]
)
def test_a_body_that_fails_in_the_middle_ends_with_an_error_and_is_never_longer_than_announced(
    app: Flask, settings: dict[str, str], error: StorageError | None, sent_bytes: int, more: bytes
) -> None:
    failing = Failing(None, None, b"")
    client = create_app(settings, {"storage": failing}).test_client()
    id = sent(client)
    failing.error, failing.sent, failing.more = error, sent_bytes, more

    answer = get(client, id)
    got: list[bytes] = []
    with pytest.raises(ConnectionResetError):
        got.extend(answer.iter_encoded())
    answer.close()
    assert b"".join(got) == BODY[:sent_bytes]
    assert failing.closed == 1
    assert_nothing_is_held(client)


def assert_nothing_is_held(client: FlaskClient) -> None:
    """All of a caller's slots are free."""
    most = client.application.config["FERRY"].max_transfers
    with ExitStack() as taken:
        for _ in range(most):
            taken.enter_context(current_services().transfers.acquire(f"process {os.getpid()} 127.0.0.1", most))


def test_uploads_and_downloads_of_one_caller_share_the_threads_they_may_have(client: FlaskClient) -> None:
    id = sent(client)
    most = client.application.config["FERRY"].max_transfers
    going = [get(client, id) for _ in range(most)]

    answer = get(client, id)
    assert_problem(answer, 429, "too-many-downloads")
    assert answer.headers["Retry-After"] == "2"
    assert_problem(client.get(f"/files.zip?ids={id}"), 429, "too-many-downloads")
    full = client.post("/normal_upload", data=form(part("file", b"x", "a")), content_type=FORM)
    assert_problem(full, 429, "too-many-uploads")
    # For a link the storage is asked, which may be silent.
    assert_problem(client.get(f"/files/{id}/link"), 429, "too-many-downloads")
    for small in (client.head(f"/files/{id}/content"), client.get(f"/files/{id}")):
        assert small.status_code == 200
    going.pop().close()
    assert get(client, id).data == BODY
    for answer in going:
        answer.close()


def test_a_link_leads_to_the_storage_for_as_long_as_was_asked(client: FlaskClient) -> None:
    id = sent(client)
    row = queries.get(id)
    assert row is not None
    answer = client.get(f"/files/{id}/link?expires=60").get_json()
    moved = client.get(f"/files/{id}/content?redirect=1")

    assert answer["url"] == moved.headers["Location"] == f"memory:{row.key}"
    assert answer["expires_at"].endswith("Z")
    assert (moved.status_code, moved.data) == (302, b"")
    assert moved.headers["Cache-Control"] == "private, no-store"
    assert client.get(f"/files/{id}/link").headers["Cache-Control"] == "no-store"


def test_who_asks_for_the_head_is_not_sent_where_only_get_is_signed(client: FlaskClient) -> None:
    path = f"/files/{sent(client)}/content"
    direct, led = (client.head(path + query) for query in ("", "?redirect=1"))
    same = {name: led.headers[name] for name in dict(led.headers) if name != "X-Request-ID"}

    assert (led.status_code, same) == (200, {name: direct.headers[name] for name in same})
    assert led.headers["Content-Length"] == str(len(BODY))


@pytest.mark.parametrize("expires", ["0", "901", "-1", "abc", "", "1e2", "9999999999", "٣"])
def test_a_link_for_longer_than_allowed_is_refused(client: FlaskClient, expires: str) -> None:
    answer = client.get(f"/files/{sent(client)}/link?expires={expires}")

    assert_problem(answer, 400, "invalid-parameter")
    assert answer.get_json()["parameter"] == "expires"


@pytest.mark.parametrize("redirect", ["2", "yes", ""])
def test_a_parameter_that_makes_no_sense_is_refused(client: FlaskClient, redirect: str) -> None:
    assert_problem(client.get(f"/files/{sent(client)}/content?redirect={redirect}"), 400, "invalid-parameter")


def test_a_download_costs_one_statement(app: Flask, client: FlaskClient) -> None:
    """The row knows all that is said."""
    id = sent(client)
    seen: list[str] = []
    event.listen(models.db.engine, "before_cursor_execute", lambda *call: seen.append(call[2].split()[0]), named=False)
    get(client, id)

    assert seen == ["SELECT"]
