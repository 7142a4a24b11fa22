"""The contract of all upload modes over HTTP, and the differences between them."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from kombu.exceptions import OperationalError
from sqlalchemy import text
from werkzeug.test import TestResponse

import config
import tasks
from database import engine
from lifecycle import queries
from modes import celery_ as celery_mode
from services import current_services
from storage.base import StorageDenied, StorageUnavailable
from storage.parts import DEFAULT_PART, MIN_PART
from tests.conftest import drain
from tests.fakes import FORM, FailingStorage, form, part, services_of
from tests.harness.factories import pending_file

ENDED = ("COMPLETE", "ERROR")


@pytest.fixture
def storage() -> FailingStorage:
    return FailingStorage()


@pytest.fixture
def services(storage: FailingStorage) -> dict[str, Any]:
    return {"storage": storage}


class ModeContract:
    """Promises of every mode. The tests of a mode inherit this and set `mode`."""

    mode: str
    answer: int

    def send(self, client: FlaskClient, body: bytes, name: str = "a.pdf") -> TestResponse:
        return client.post(
            f"/{self.mode}_upload", data=form(part("file", body, name, "application/pdf")), content_type=FORM
        )

    def ended(self, client: FlaskClient, answer: TestResponse) -> dict[str, Any]:
        """The file once all background work is done."""
        drain(client.application)
        return client.get(answer.headers["Location"]).get_json()  # type: ignore[no-any-return]

    @pytest.mark.parametrize("size", [0, 1, 1 << 20, MIN_PART - 1, MIN_PART + 1, DEFAULT_PART + 1])
    def test_a_file_is_stored_unchanged(self, client: FlaskClient, size: int) -> None:
        body = os.urandom(size)

        answer = self.send(client, body)
        file = self.ended(client, answer)

        assert answer.status_code == self.answer
        assert (file["status"], file["size"], file["stored_bytes"]) == ("COMPLETE", size, size)
        assert file["sha256"] == hashlib.sha256(body).hexdigest()
        key = file["url"].removeprefix("https://cdn.example.com/")
        assert b"".join(current_services().storage.open(key)) == body
        assert list(current_services().spool.files()) == []

    def test_the_response_is_the_file(self, client: FlaskClient) -> None:
        answer = self.send(client, b"x", "Ünïcode.pdf")
        file = answer.get_json()

        assert list(file) == [
            "id", "name", "status", "mode", "size", "content_type", "detected_type", "sha256", "url",
            "received_bytes", "stored_bytes", "error", "error_detail", "version_id", "expires_at",
            "created_at", "updated_at", "links",
        ]  # fmt: skip
        assert (file["name"], file["mode"], file["content_type"]) == ("Ünïcode.pdf", self.mode, "application/pdf")
        assert answer.headers["Location"] == file["links"]["self"] == f"/files/{file['id']}"
        assert client.get(answer.headers["Location"]).get_json()["id"] == file["id"]

    def test_a_raw_body_is_accepted(self, client: FlaskClient) -> None:
        url = f"/{self.mode}_upload?name=raw.bin"
        answer = client.post(url, data=b"raw", content_type="application/octet-stream")

        assert self.ended(client, answer)["sha256"] == hashlib.sha256(b"raw").hexdigest()

    def test_a_bad_form_leaves_no_pending_file(self, client: FlaskClient) -> None:
        whole = form(part("file", b"x" * 9_000_000, "a.bin"))
        for body in (whole[:-30], whole[:5_000_000], form(part("file", b"x", "a"), part("file", b"y", "b"))):
            answer = client.post(f"/{self.mode}_upload", data=body, content_type=FORM)

            assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
        drain(client.application)
        assert [row.upload_status for row in queries.page(None, 99) if row.upload_status not in ENDED] == []
        assert list(current_services().storage.list_objects()) == []
        assert list(current_services().spool.files()) == []

    def test_a_file_that_is_too_large_is_refused_with_the_limit(self, client: FlaskClient) -> None:
        answer = self.send(client, bytes(10 * 2**20 + 1))

        assert (answer.status_code, answer.get_json()["max_bytes"]) == (413, 10 * 2**20)
        assert list(current_services().storage.list_objects()) == []

    def test_a_permanent_storage_error_fails_the_file(self, client: FlaskClient, storage: FailingStorage) -> None:
        storage.error = StorageDenied()
        self.send(client, b"x")
        drain(client.application)

        [file] = client.get("/files").get_json()["files"]
        assert (file["status"], file["error"], file["url"]) == ("ERROR", "storage-denied", None)


class TestNormal(ModeContract):
    mode, answer = "normal", 201

    def test_the_response_already_has_the_url(self, client: FlaskClient) -> None:
        file = self.send(client, b"x").get_json()

        assert (file["status"], file["error"]) == ("COMPLETE", None)
        assert file["url"].startswith("https://cdn.example.com/")

    @pytest.mark.parametrize(
        ("error", "status", "slug"),
        [(StorageUnavailable(), 503, "storage-unavailable"), (StorageDenied(), 502, "storage-denied")],
    )
    def test_a_storage_error_is_returned_and_recorded(
        self, client: FlaskClient, storage: FailingStorage, error: Any, status: int, slug: str
    ) -> None:
        storage.error = error
        answer = self.send(client, b"x")

        assert (answer.status_code, answer.get_json()["type"]) == (status, f"/problems/{slug}")
        [file] = client.get("/files").get_json()["files"]
        assert (file["status"], file["error"]) == ("ERROR", slug)

    def test_the_spool_is_not_used(self, client: FlaskClient) -> None:
        self.send(client, bytes(3_000_000))

        assert not current_services().spool.folder.exists()


class SpooledContract(ModeContract):
    """Promises of the modes that spool the bytes."""

    answer = 202

    def test_a_file_stays_pending_while_the_storage_is_unavailable(
        self, client: FlaskClient, storage: FailingStorage
    ) -> None:
        storage.error = StorageUnavailable()
        answer = self.send(client, b"kept")
        file = self.ended(client, answer)

        assert answer.status_code == 202
        assert (file["status"], file["error"], file["url"]) == ("PENDING", "storage-unavailable", None)
        assert b"".join(current_services().spool.open(file["id"])) == b"kept"

    def test_an_accepted_file_has_its_row_and_its_spooled_bytes(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No job runs, as if the process had died right after the response."""
        services = services_of(client.application)
        for pool in (services.store_pool, services.dispatch_pool):
            monkeypatch.setattr(pool, "submit", lambda *_, **__: False)
        file = self.send(client, b"kept").get_json()

        assert file["status"] == "PENDING"
        assert b"".join(current_services().spool.open(file["id"])) == b"kept"


class TestAsync(SpooledContract):
    mode = "async"


class TestCelery(SpooledContract):
    mode = "celery"

    def test_an_unavailable_broker_fails_no_upload(self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
        def unavailable(*_: Any, **__: Any) -> None:
            raise OperationalError

        monkeypatch.setattr(tasks.upload, "apply_async", unavailable)
        answer = self.send(client, b"kept")

        assert answer.status_code == 202
        assert self.ended(client, answer)["status"] == "PENDING"
        assert b"".join(current_services().spool.open(answer.get_json()["id"])) == b"kept"

    def test_a_file_that_was_not_queued_is_due_again_within_a_lease(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """This does not depend on how long the broker was unavailable."""

        def unavailable(*_: Any, **__: Any) -> None:
            raise OperationalError

        monkeypatch.setattr(tasks.upload, "apply_async", unavailable)
        id = self.send(client, b"kept").get_json()["id"]
        drain(client.application)
        engine.execute(text("UPDATE files SET updated_at = updated_at - 9000, due_at = due_at + 9000"))
        with pytest.raises(OperationalError):
            celery_mode.enqueue(id)

        row = queries.get(id)
        assert row is not None
        assert row.due_at is not None
        assert row.due_at - engine.now() <= 3

    def test_a_file_without_its_spooled_bytes_fails_as_bytes_lost(self, client: FlaskClient) -> None:
        services_of(client.application).dispatch_pool.submit = lambda *_, **__: False
        answer = self.send(client, b"bytes")
        current_services().spool.delete(answer.get_json()["id"])
        celery_mode.enqueue(answer.get_json()["id"])

        ended = self.ended(client, answer)
        assert (ended["status"], ended["error"]) == ("ERROR", "bytes-lost")

    def test_a_message_carries_the_bytes_in_its_body_and_not_in_its_headers(self, app: Flask) -> None:
        services_of(app).celery.conf.task_always_eager = False
        row = pending_file("celery", b"secret bytes")
        tasks.send_inline(row.id)

        with services_of(app).celery.connection() as connection:
            message = connection.SimpleQueue(config.current().redis.queue).get(timeout=5)
            message.ack()
        assert "c2VjcmV0" not in str(message.headers)
        assert '"c2VjcmV0IGJ5dGVz"' in (message.body if isinstance(message.body, str) else message.body.decode())

    @pytest.mark.parametrize("text", ["", "!!!", "b3RoZXIgYnl0ZXM="])
    def test_a_message_with_other_bytes_stores_nothing(self, client: FlaskClient, text: str) -> None:
        """Any client of Redis can send tasks."""
        services_of(client.application).dispatch_pool.submit = lambda *_, **__: False
        answer = self.send(client, b"true bytes")
        tasks.upload(answer.get_json()["id"], text)

        assert self.ended(client, answer)["status"] == "PENDING"
        assert list(current_services().storage.list_objects()) == []
        celery_mode.enqueue(answer.get_json()["id"])
        assert self.ended(client, answer)["status"] == "COMPLETE"
