"""The database: what is insisted on, and for how long."""

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


class Away:
    """A database that takes `seconds` to say that it does not answer, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.tries, self._seconds = 0.0, 0, seconds
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._pass)

    def move(self) -> None:
        self.tries += 1
        self._pass(self._seconds)
        raise OperationalError("UPDATE", {}, Exception("away"))

    def _pass(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("seconds", [0, 10], ids=["refused", "frozen"])
def test_a_database_is_insisted_on_for_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    away = Away(monkeypatch, seconds)
    with pytest.raises(OperationalError):
        retry_while_unavailable(away.move, 75)

    assert away.tries > 4
    assert 75 <= away.now < 75 + 3 + seconds


def test_without_patience_it_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Away(monkeypatch, 0)
    with pytest.raises(OperationalError):
        retry_while_unavailable(away.move, 0)

    assert away.tries == 1


def test_a_sqlite_that_can_not_be_written_is_not_available(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that went read-only; root may write to everything else."""
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and allowed(path, mode))
    sent = form(part("file", b"x", "a"))

    for answer in (client.get("/healthz/ready"), client.post("/async_upload", data=sent, content_type=FORM)):
        assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/database-unavailable")
    assert client.get("/files").get_json()["files"] == []


def test_bytes_whose_row_sqlite_refuses_are_not_kept(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "ping", lambda: None)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    try:
        with pytest.raises(OperationalError):
            file.receive(file.new_file("a", "text/plain", "async"), iter([b"x"]))
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = OFF")

    assert list(current_services().spool.files()) == []
    assert client_can_upload(app)


def client_can_upload(app: Flask) -> bool:
    sent = form(part("file", b"x", "a"))
    return app.test_client().post("/normal_upload", data=sent, content_type=FORM).status_code == 201
