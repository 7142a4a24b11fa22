"""The engine: retries while the database is unavailable, and a read-only SQLite."""

from __future__ import annotations

import os
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

import file
from database import engine
from database.engine import retry_while_unavailable
from services import current_services
from tests.fakes import FORM, form, part
from tests.harness.factories import pending_file


class UnavailableDatabase:
    """A database whose operations fail after `seconds` of a fake clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.tries, self._seconds = 0.0, 0, seconds
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._pass)

    def operation(self) -> None:
        self.tries += 1
        self._pass(self._seconds)
        raise OperationalError("UPDATE", {}, Exception("unavailable"))

    def _pass(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("seconds", [0, 10], ids=["refused", "frozen"])
def test_operations_are_retried_until_the_deadline(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    database = UnavailableDatabase(monkeypatch, seconds)
    with pytest.raises(OperationalError):
        retry_while_unavailable(database.operation, 75)

    assert database.tries > 4
    assert 75 <= database.now < 75 + 3 + seconds


def test_without_a_deadline_there_is_one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    database = UnavailableDatabase(monkeypatch, 0)
    with pytest.raises(OperationalError):
        retry_while_unavailable(database.operation, 0)

    assert database.tries == 1


def test_a_read_only_sqlite_is_unavailable(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulates a read-only file system: root may write to any other file."""
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and allowed(path, mode))
    sent = form(part("file", b"x", "a"))

    for answer in (client.get("/healthz/ready"), client.post("/async_upload", data=sent, content_type=FORM)):
        assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/database-unavailable")
    assert client.get("/files").get_json()["files"] == []


def test_bytes_are_deleted_if_sqlite_refuses_the_row(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "ping", lambda: None)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    try:
        with pytest.raises(OperationalError):
            pending_file()
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = OFF")

    assert list(current_services().spool.files()) == []
    assert client_can_upload(app)


def client_can_upload(app: Flask) -> bool:
    sent = form(part("file", b"x", "a"))
    return app.test_client().post("/normal_upload", data=sent, content_type=FORM).status_code == 201
