"""Range, conditional and HEAD requests for a file's content."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app import create_app
from storage.base import StorageUnavailable
from tests.api.downloads import BODY, FILE_HEADERS, FailingDownloads, get, store
from tests.api.helpers import assert_problem


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
def test_a_range_request_returns_its_bytes(client: FlaskClient, asked: str, status: int, first: int, end: int) -> None:
    answer = get(client, store(client), Range=asked)

    assert (answer.status_code, answer.data) == (status, BODY[first:end])
    assert answer.headers["Content-Length"] == str(end - first)
    assert answer.headers.get("Content-Range") == (f"bytes {first}-{end - 1}/1024" if status == 206 else None)
    assert FILE_HEADERS.items() <= dict(answer.headers).items()


def test_a_range_beyond_the_end_is_refused_with_the_size(client: FlaskClient) -> None:
    answer = get(client, store(client), Range="bytes=1024-")

    assert_problem(answer, 416, "range-not-satisfiable")
    assert answer.get_json()["size"] == 1024
    assert answer.headers["Content-Range"] == "bytes */1024"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_empty_file_is_downloaded_whole(client: FlaskClient) -> None:
    id = store(client, b"")

    for answer in (get(client, id), get(client, id, Range="bytes=-5")):
        assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert_problem(get(client, id, Range="bytes=0-"), 416, "range-not-satisfiable")


def test_conditional_requests_get_304_or_412(client: FlaskClient) -> None:
    id = store(client)
    first = get(client, id)
    again = get(client, id, If_None_Match=first.headers["ETag"])
    unmodified = get(client, id, If_Modified_Since=first.headers["Last-Modified"])

    for answer in (again, unmodified):
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == first.headers["ETag"]
        assert FILE_HEADERS.items() <= dict(answer.headers).items()
        assert "Content-Disposition" not in answer.headers
    assert_problem(get(client, id, If_Match='"other"'), 412, "precondition-failed")
    assert get(client, id, If_None_Match='"other"', Range="bytes=0-1").status_code == 206


def test_if_range_returns_a_range_only_of_the_same_file(client: FlaskClient) -> None:
    id = store(client)
    etag = get(client, id).headers["ETag"]

    assert get(client, id, Range="bytes=9-", If_Range=etag).status_code == 206
    assert get(client, id, Range="bytes=9-", If_Range='"other"').data == BODY
    assert get(client, id, Range="bytes=4000-", If_Range='"other"').data == BODY


def test_head_returns_all_headers_without_a_storage_request(client: FlaskClient, settings: dict[str, str]) -> None:
    id = store(client)
    expected = dict(get(client, id).headers)
    client = create_app(settings, {"storage": FailingDownloads(StorageUnavailable())}).test_client()
    answer = client.head(f"/files/{id}/content", headers={"Range": "bytes=0-9"})

    assert (answer.status_code, answer.data) == (200, b"")
    assert {**dict(answer.headers), "X-Request-ID": ""} == {**expected, "X-Request-ID": ""}
