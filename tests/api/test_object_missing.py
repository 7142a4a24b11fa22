"""COMPLETE files whose object was removed from the bucket: 404 on every download, until it is restored."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app import create_app
from lifecycle import queries, transitions
from models import FileRow
from services import current_services
from storage.base import ObjectMissing, StorageUnavailable, Stream
from storage.memory import MemoryStorage
from tests.api.downloads import BODY, assert_all_slots_are_free, store
from tests.api.helpers import assert_problem
from tests.harness.factories import reload

ASKED = [
    ("GET", "/files/{}/content", {}),
    ("GET", "/files/{}/content", {"Range": "bytes=0-0"}),
    ("GET", "/files/{}/content", {"Range": "bytes=-5"}),
    ("GET", "/files/{}/content", {"If-None-Match": '"other"'}),
    ("GET", "/files/{}/content?redirect=1", {}),
    ("GET", "/files/{}/link", {}),
    ("GET", "/files/{}/link?expires=1", {}),
    ("GET", "/files.zip?ids={}", {}),
    ("GET", "/files.zip?prefix=a", {}),
]
OF_THE_ROW = [
    ("GET", "/files/{}/content", {"If-None-Match": "*"}),
    ("GET", "/files/{}/content", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    ("HEAD", "/files/{}/content", {}),
    ("HEAD", "/files/{}/content?redirect=1", {}),
    ("HEAD", "/files/{}/content", {"Range": "bytes=0-9"}),
    ("HEAD", "/files/{}/link", {}),
    ("HEAD", "/files.zip?ids={}", {}),
]


@pytest.fixture
def row(client: FlaskClient) -> FileRow:
    """A COMPLETE file without its object."""
    row = queries.get(store(client))
    assert row is not None
    current_services().storage.delete(row.key)
    return row


def ask(client: FlaskClient, row: FileRow, method: str, path: str, headers: dict[str, str]) -> TestResponse:
    return client.open(path.format(row.id), method=method, headers=headers)


@pytest.mark.parametrize(("method", "path", "headers"), ASKED)
def test_a_missing_object_is_a_404_on_every_download(
    client: FlaskClient, row: FileRow, method: str, path: str, headers: dict[str, str]
) -> None:
    """The first request finds it missing, the second reads it from the row."""
    for _ in range(2):
        answer = ask(client, row, method, path, headers)
        assert_problem(answer, 404, "object-missing")
        assert answer.get_json()["ids"] == [row.id]
        assert (reload(row).error, client.get(f"/files/{row.id}").get_json()["error"]) == ("object-missing",) * 2
    assert_all_slots_are_free(client)


@pytest.mark.parametrize(("method", "path", "headers"), [*ASKED, *OF_THE_ROW])
def test_a_row_marked_missing_is_a_404_if_the_storage_confirms_it(
    client: FlaskClient, row: FileRow, method: str, path: str, headers: dict[str, str]
) -> None:
    """An earlier version wrote `storage-missing`."""
    assert transitions.set_object_error(row, "storage-missing")
    answer = ask(client, row, method, path, headers)

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert reload(row).error == "object-missing"


@pytest.mark.parametrize(("method", "path", "headers"), [*ASKED, *OF_THE_ROW])
def test_a_restored_object_is_served_and_clears_the_error_of_its_row(
    client: FlaskClient, row: FileRow, method: str, path: str, headers: dict[str, str]
) -> None:
    assert transitions.set_object_error(row, ObjectMissing.slug())
    current_services().storage.put(row.key, iter([BODY]), content_type="text/plain")

    assert ask(client, row, method, path, headers).status_code in (200, 206, 302, 304)
    assert reload(row).error is None


class UnavailableStorage(MemoryStorage):
    def stat(self, key: str) -> Any:
        raise StorageUnavailable

    def open(self, key: str, start: int = 0, length: int | None = None, **options: Any) -> Stream:
        raise StorageUnavailable


@pytest.mark.parametrize(("method", "path", "headers"), ASKED)
def test_an_unavailable_storage_marks_no_object_missing(
    settings: dict[str, str], row: FileRow, method: str, path: str, headers: dict[str, str]
) -> None:
    client = create_app(settings, {"storage": UnavailableStorage()}).test_client()
    assert_problem(ask(client, row, method, path, headers), 503, "storage-unavailable")
    assert reload(row).error is None

    assert transitions.set_object_error(row, ObjectMissing.slug())
    assert_problem(ask(client, row, method, path, headers), 503, "storage-unavailable")
    assert reload(row).error == "object-missing"


def test_a_missing_member_cuts_the_archive_and_is_listed_by_the_next_request(client: FlaskClient) -> None:
    ids = [store(client, bytes(100_000), name) for name in ("a", "b")]
    gone = queries.get(ids[1])
    assert gone is not None
    current_services().storage.delete(gone.key)

    answer = client.get(f"/files.zip?ids={','.join(ids)}")
    assert answer.status_code == 200
    with pytest.raises(ConnectionResetError):
        list(answer.iter_encoded())
    answer.close()
    assert_all_slots_are_free(client)
    assert reload(gone).error == "object-missing"
    again = client.get(f"/files.zip?ids={','.join(ids)}")
    assert_problem(again, 404, "object-missing")
    assert again.get_json()["ids"] == [gone.id]


def test_a_failed_update_of_the_row_changes_no_response(
    client: FlaskClient, row: FileRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> None:
        raise OperationalError("", None, Exception())

    monkeypatch.setattr(transitions, "set_object_error", unavailable)

    assert_problem(client.get(f"/files/{row.id}/link"), 404, "object-missing")


def test_a_file_without_its_object_can_be_deleted(client: FlaskClient, row: FileRow) -> None:
    client.get(f"/files/{row.id}/content")
    assert client.delete(f"/files/{row.id}").status_code == 204
    assert_problem(client.get(f"/files/{row.id}/content"), 404, "not-found")
