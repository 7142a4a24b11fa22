"""Failed and refused downloads: a problem before the first byte, a cut connection after it, 429 without a slot."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from lifecycle import queries
from services import current_services
from storage.base import StorageDenied, StorageError, StorageMissing, StorageNoBucket, StorageUnavailable
from tests.api.downloads import BODY, FailingDownloads, assert_all_slots_are_free, get, store
from tests.api.helpers import assert_problem
from tests.fakes import FORM, form, part


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
def test_a_storage_error_before_the_first_byte_is_a_problem(
    app: Flask, settings: dict[str, str], path: str, error: StorageError, status: int, slug: str
) -> None:
    failing = FailingDownloads(None)
    client = create_app(settings, {"storage": failing}).test_client()
    id = store(client)
    failing.error = error

    answer = client.get(path.format(id))
    assert_problem(answer, status, slug)
    assert "Content-Disposition" not in answer.headers
    assert_all_slots_are_free(client)


def test_an_object_of_another_size_is_a_problem(client: FlaskClient) -> None:
    id = store(client)
    row = queries.get(id)
    assert row is not None
    current_services().storage.put(row.key, iter([b"other"]), content_type="text/plain")

    assert_problem(get(client, id), 502, "storage-mismatch")
    assert_problem(get(client, id, Range="bytes=0-1"), 502, "storage-mismatch")


@pytest.mark.parametrize(
    ("error", "sent_bytes", "more"), [(StorageUnavailable(), 1000, b""), (None, 1000, b""), (None, 1024, b"more")]
)
def test_a_body_that_fails_midway_cuts_the_connection_and_is_never_too_long(
    app: Flask, settings: dict[str, str], error: StorageError | None, sent_bytes: int, more: bytes
) -> None:
    failing = FailingDownloads(None, None, b"")
    client = create_app(settings, {"storage": failing}).test_client()
    id = store(client)
    failing.error, failing.sent, failing.more = error, sent_bytes, more

    answer = get(client, id)
    got: list[bytes] = []
    with pytest.raises(ConnectionResetError):
        got.extend(answer.iter_encoded())
    answer.close()
    assert b"".join(got) == BODY[:sent_bytes]
    assert failing.closed == 1
    assert_all_slots_are_free(client)


def test_uploads_and_downloads_of_a_client_share_its_slots(client: FlaskClient) -> None:
    id = store(client)
    most = client.application.config["FERRY"].max_transfers
    running = [get(client, id) for _ in range(most)]

    answer = get(client, id)
    assert_problem(answer, 429, "too-many-downloads")
    assert answer.headers["Retry-After"] == "2"
    assert_problem(client.get(f"/files.zip?ids={id}"), 429, "too-many-downloads")
    full = client.post("/normal_upload", data=form(part("file", b"x", "a")), content_type=FORM)
    assert_problem(full, 429, "too-many-uploads")
    # A link needs a slot too: the storage is asked first, and may not respond.
    assert_problem(client.get(f"/files/{id}/link"), 429, "too-many-downloads")
    for small in (client.head(f"/files/{id}/content"), client.get(f"/files/{id}")):
        assert small.status_code == 200
    running.pop().close()
    assert get(client, id).data == BODY
    for answer in running:
        answer.close()
