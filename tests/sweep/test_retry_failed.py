"""`POST /files/<id>/retry`: a failed file gets all its attempts again."""

from __future__ import annotations

import pytest
import uuid_utils
from flask import Flask
from flask.testing import FlaskClient

import file
from lifecycle import transitions
from models import UploadStatus
from services import current_services
from storage.base import StorageUnavailable
from tests.fakes import FailingStorage
from tests.harness.factories import claimed_file, pending_file, reload
from tests.sweep.conftest import sweep


def test_a_failed_file_can_be_retried_with_all_attempts(
    app: Flask, client: FlaskClient, objects: FailingStorage
) -> None:
    objects.error = StorageUnavailable()
    row = pending_file()
    for _ in range(5):
        file.upload_file(row.id)
    assert reload(row).upload_status == UploadStatus.ERROR

    answer = client.post(f"/files/{row.id}/retry")
    assert (answer.status_code, answer.get_json()["status"], answer.get_json()["error"]) == (202, "PENDING", None)
    assert answer.headers["Location"] == f"/files/{row.id}"
    sweep(lambda row: file.upload_file(row.id))
    assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.PENDING, 6)
    objects.error = None
    file.upload_file(row.id)
    assert reload(row).upload_status == UploadStatus.COMPLETE


@pytest.mark.parametrize("ended", [False, True])
def test_a_file_that_has_not_failed_cannot_be_retried(app: Flask, client: FlaskClient, ended: bool) -> None:
    row = pending_file()
    if ended:
        file.upload_file(row.id)
    answer = client.post(f"/files/{row.id}/retry")

    assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/not-failed")


@pytest.mark.parametrize("mode", ["normal", "async"])
def test_a_file_without_bytes_cannot_be_retried(app: Flask, client: FlaskClient, mode: file.Mode) -> None:
    row = claimed_file(mode)
    assert transitions.set_error(row, "storage-denied")
    current_services().spool.delete(row.id)
    answer = client.post(f"/files/{row.id}/retry")

    assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/bytes-gone")
    assert reload(row).upload_status == UploadStatus.ERROR


def test_a_retry_of_an_unknown_file_is_not_found(client: FlaskClient) -> None:
    assert client.post(f"/files/{uuid_utils.uuid7()}/retry").status_code == 404
