"""The three modes keep one contract over HTTP, and each what is its own."""

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
import file
import tasks
from database import engine
from lifecycle import queries
from modes import celery as celery_mode
from services import current_services
from storage.base import StorageDenied, StorageUnavailable
from storage.parts import DEFAULT_PART, MIN_PART
from tests.conftest import drain
from tests.fakes import FORM, FailingStorage, form, part, services_of

ENDED = ("COMPLETE", "ERROR")


@pytest.fixture
def storage() -> FailingStorage:
    return FailingStorage()


@pytest.fixture
def services(storage: FailingStorage) -> dict[str, Any]:
    return {"storage": storage}


class ModeContract:
    """What every mode promises. A mode's tests inherit this and say which it is."""

    mode: str
    answer: int

    def send(self, client: FlaskClient, body: bytes, name: str = "a.pdf") -> TestResponse:
        return client.post(
            f"/{self.mode}_upload", data=form(part("file", body, name, "application/pdf")), content_type=FORM
        )

    def ended(self, client: FlaskClient, answer: TestResponse) -> dict[str, Any]:
        """The file after all work is done."""
        drain(client.application)
        return client.get(answer.headers["Location"]).get_json()  # type: ignore[no-any-return]

    @pytest.mark.parametrize("size", [0, 1, 1 << 20, MIN_PART - 1, MIN_PART + 1, DEFAULT_PART + 1])
    def test_a_file_arrives_as_it_was_sent(self, client: FlaskClient, size: int) -> None:
        body = os.urandom(size)

        answer = self.send(client, body)
        file = self.ended(client, answer)

        assert answer.status_code == self.answer
        assert (file["status"], file["size"], file["stored_bytes"]) == ("COMPLETE", size, size)
        assert file["sha256"] == hashlib.sha256(body).hexdigest()
        key = file["url"].removeprefix("https://cdn.example.com/")
        assert b"".join(current_services().storage.open(key)) == body
        assert list(current_services().spool.files()) == []

    def test_the_answer_is_the_file(self, client: FlaskClient) -> None:
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

    def test_a_raw_body_is_taken_too(self, client: FlaskClient) -> None:
        url = f"/{self.mode}_upload?name=raw.bin"
        answer = client.post(url, data=b"raw", content_type="application/octet-stream")

        assert self.ended(client, answer)["sha256"] == hashlib.sha256(b"raw").hexdigest()

    def test_a_bad_form_leaves_nothing_that_is_stuck(self, client: FlaskClient) -> None:
        whole = form(part("file", b"x" * 9_000_000, "a.bin"))
        for body in (whole[:-30], whole[:5_000_000], form(part("file", b"x", "a"), part("file", b"y", "b"))):
            answer = client.post(f"/{self.mode}_upload", data=body, content_type=FORM)

            assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
        drain(client.application)
        assert [row.upload_status for row in queries.page(None, 99) if row.upload_status not in ENDED] == []
        assert list(current_services().storage.list_objects()) == []
        assert list(current_services().spool.files()) == []

    def test_a_file_too_large_is_told_the_limit(self, client: FlaskClient) -> None:
        answer = self.send(client, bytes(10 * 2**20 + 1))

        assert (answer.status_code, answer.get_json()["max_bytes"]) == (413, 10 * 2**20)
        assert list(current_services().storage.list_objects()) == []

    def test_a_storage_that_refuses_for_good_ends_the_file(self, client: FlaskClient, storage: FailingStorage) -> None:
        storage.error = StorageDenied()
        self.send(client, b"x")
        drain(client.application)

        [file] = client.get("/files").get_json()["files"]
        assert (file["status"], file["error"], file["url"]) == ("ERROR", "storage-denied", None)


class TestNormal(ModeContract):
    mode, answer = "normal", 201

    def test_the_answer_already_has_the_address(self, client: FlaskClient) -> None:
        file = self.send(client, b"x").get_json()

        assert (file["status"], file["error"]) == ("COMPLETE", None)
        assert file["url"].startswith("https://cdn.example.com/")

    @pytest.mark.parametrize(
        ("error", "status", "slug"),
        [(StorageUnavailable(), 503, "storage-unavailable"), (StorageDenied(), 502, "storage-denied")],
    )
    def test_a_storage_that_fails_is_told_and_the_row_says_why(
        self, client: FlaskClient, storage: FailingStorage, error: Any, status: int, slug: str
    ) -> None:
        storage.error = error
        answer = self.send(client, b"x")

        assert (answer.status_code, answer.get_json()["type"]) == (status, f"/problems/{slug}")
        [file] = client.get("/files").get_json()["files"]
        assert (file["status"], file["error"]) == ("ERROR", slug)

    def test_nothing_touches_the_spool(self, client: FlaskClient) -> None:
        self.send(client, bytes(3_000_000))

        assert not current_services().spool.folder.exists()


class SpooledContract(ModeContract):
    """What holds where the bytes wait in the spool."""

    answer = 202

    def test_a_storage_that_is_away_lets_the_file_wait(self, client: FlaskClient, storage: FailingStorage) -> None:
        storage.error = StorageUnavailable()
        answer = self.send(client, b"kept")
        file = self.ended(client, answer)

        assert answer.status_code == 202
        assert (file["status"], file["error"], file["url"]) == ("PENDING", "storage-unavailable", None)
        assert b"".join(current_services().spool.open(file["id"])) == b"kept"

    def test_an_answer_means_that_bytes_and_row_are_there(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody works on it, as if the process had died right after the answer."""
        services = services_of(client.application)
        for pool in (services.store_pool, services.dispatch_pool):
            monkeypatch.setattr(pool, "submit", lambda job, *about: None)
        file = self.send(client, b"kept").get_json()

        assert file["status"] == "PENDING"
        assert b"".join(current_services().spool.open(file["id"])) == b"kept"


class TestAsync(SpooledContract):
    mode = "async"


class TestCelery(SpooledContract):
    mode = "celery"

    def test_a_broker_that_is_away_costs_no_answer_and_no_file(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any, **__: Any) -> None:
            raise OperationalError

        monkeypatch.setattr(tasks.upload, "apply_async", away)
        answer = self.send(client, b"kept")

        assert answer.status_code == 202
        assert self.ended(client, answer)["status"] == "PENDING"
        assert b"".join(current_services().spool.open(answer.get_json()["id"])) == b"kept"

    def test_a_file_that_could_not_be_queued_is_due_again_within_a_lease(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However long the broker has been away, and the file has waited."""

        def away(*_: Any, **__: Any) -> None:
            raise OperationalError

        monkeypatch.setattr(tasks.upload, "apply_async", away)
        id = self.send(client, b"kept").get_json()["id"]
        drain(client.application)
        engine.execute(text("UPDATE files SET updated_at = updated_at - 9000, due_at = due_at + 9000"))
        with pytest.raises(OperationalError):
            celery_mode.enqueue(id)

        row = queries.get(id)
        assert row is not None
        assert row.due_at is not None
        assert row.due_at - engine.now() <= 3

    def test_a_file_whose_bytes_are_gone_ends_and_says_so(self, client: FlaskClient) -> None:
        services_of(client.application).dispatch_pool.submit = lambda job, *about: None
        answer = self.send(client, b"bytes")
        current_services().spool.delete(answer.get_json()["id"])
        celery_mode.enqueue(answer.get_json()["id"])

        ended = self.ended(client, answer)
        assert (ended["status"], ended["error"]) == ("ERROR", "bytes-lost")

    def test_a_message_carries_the_bytes_once_encoded_and_shows_none_in_its_headers(self, app: Flask) -> None:
        services_of(app).celery.conf.task_always_eager = False
        row = file.new_file("a.txt", "text/plain", "celery")
        file.receive(row, iter([b"secret bytes"]))
        tasks.send_inline(row.id)

        with services_of(app).celery.connection() as connection:
            message = connection.SimpleQueue(config.current().redis.queue).get(timeout=5)
            message.ack()
        assert "c2VjcmV0" not in str(message.headers)
        assert '"c2VjcmV0IGJ5dGVz"' in (message.body if isinstance(message.body, str) else message.body.decode())

    @pytest.mark.parametrize("text", ["", "!!!", "b3RoZXIgYnl0ZXM="])
    def test_a_message_with_other_bytes_stores_nothing(self, client: FlaskClient, text: str) -> None:
        """Whoever can write to Redis can send tasks."""
        services_of(client.application).dispatch_pool.submit = lambda job, *about: None
        answer = self.send(client, b"true bytes")
        tasks.upload(answer.get_json()["id"], text)

        assert self.ended(client, answer)["status"] == "PENDING"
        assert list(current_services().storage.list_objects()) == []
        celery_mode.enqueue(answer.get_json()["id"])
        assert self.ended(client, answer)["status"] == "COMPLETE"
