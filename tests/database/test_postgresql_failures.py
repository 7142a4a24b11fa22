"""A PostgreSQL that is read-only, ends sessions, or is behind a pooler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask, current_app
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

import file
import models
from database import postgresql
from database.engine import UNAVAILABLE, connect, execute, ping, retry_while_unavailable, transaction
from dev.polling import eventually
from lifecycle import attempts
from services import current_services
from tests.fakes import FORM, form, part
from tests.harness.factories import pending_file, reload, uploading_file

MODES = ["normal", "async", "celery"]


@pytest.fixture
def app(app_on_postgresql: Flask) -> Flask:
    return app_on_postgresql


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """Make the server read-only, like a demoted primary."""

    def switch(value: str) -> None:
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            connection.execute("SELECT pg_reload_conf()")
        assert eventually(lambda: is_read_only() is (value == "on"))

    def is_read_only() -> bool:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            return bool(connection.execute("SHOW transaction_read_only").fetchone() == ("on",))

    switch("on")
    try:
        yield
    finally:
        switch("off")


def sessions(count: int) -> set[int]:
    """The server's process ids of `count` connections of the pool."""
    barrier = threading.Barrier(count)

    def one(app: Flask) -> int:
        with app.app_context(), connect() as connection:
            barrier.wait(10)
            return int(connection.scalar(text("SELECT pg_backend_pid()")))

    this = current_app._get_current_object()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(count) as threads:
        return set(threads.map(one, [this] * count))


def raising(code: str, times: int = 1) -> tuple[Callable[[Connection], int], list[int]]:
    """Statements that fail with this SQLSTATE `times` times, then succeed; and the process ids that ran them."""
    pids: list[int] = []

    def work(connection: Connection) -> int:
        pids.append(int(connection.scalar(text("SELECT pg_backend_pid()"))))
        if len(pids) <= times:
            connection.execute(text(f"DO $$ BEGIN RAISE 'message' USING ERRCODE = '{code}'; END $$"))
        return len(pids)

    return work, pids


def test_a_read_only_server_is_unavailable(app: Flask, postgresql_server: str) -> None:
    client = app.test_client()
    old = sessions(3)
    with read_only(postgresql_server):
        answers = [
            client.post(f"/{mode}_upload", data=form(part("file", b"x", "a")), content_type=FORM) for mode in MODES
        ]
        answers.append(client.get("/healthz/ready"))
        listed = client.get("/files")

    assert {(answer.status_code, answer.get_json()["type"]) for answer in answers} == {
        (503, "/problems/database-unavailable")
    }
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert (listed.status_code, list(current_services().spool.files())) == (200, [])
    assert client.get("/healthz/ready").status_code == 200
    assert not old & sessions(3)


def test_bytes_are_deleted_if_the_server_refuses_the_row(
    app: Flask,
    postgresql_server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file, "ping", lambda: None)  # It is demoted while the bytes are received.
    with read_only(postgresql_server), pytest.raises(OperationalError):
        pending_file()

    assert list(current_services().spool.files()) == []


def test_the_end_of_an_upload_waits_for_a_writable_server(app: Flask, postgresql_server: str) -> None:
    row = uploading_file(1)
    tried = threading.Event()

    def complete() -> None:
        with app.app_context():
            retry_while_unavailable(operation, 20)

    def operation() -> None:
        tried.set()
        attempts.complete(row, 1, "0" * 64)

    with ThreadPoolExecutor(1) as threads:
        with read_only(postgresql_server):
            ended = threads.submit(complete)
            assert tried.wait(5)
        ended.result(20)
    assert reload(row).upload_status == models.UploadStatus.COMPLETE


@pytest.mark.parametrize("code", ["25006", "57P01", "57P05", "08006", "08P01", "26000", "42P05"])
def test_all_connections_to_an_unusable_server_are_discarded(app: Flask, code: str) -> None:
    old = sessions(3)
    work, _ = raising(code, 9)
    with pytest.raises(UNAVAILABLE):
        transaction(work)

    assert not old & sessions(3)


@pytest.mark.parametrize("code", ["53200", "57014", "55P03"])
def test_a_failed_statement_keeps_its_connection(app: Flask, code: str) -> None:
    old = sessions(1)
    with pytest.raises(UNAVAILABLE):
        transaction(raising(code, 9)[0])

    assert sessions(1) == old


@pytest.mark.parametrize(
    ("code", "times", "connection_kept"),
    [("40001", 4, True), ("40P01", 4, True), ("25006", 1, False), ("26000", 1, False)],
)
def test_a_rolled_back_transaction_is_retried(app: Flask, code: str, times: int, connection_kept: bool) -> None:
    work, pids = raising(code, times)

    assert transaction(work) == times + 1
    assert len(set(pids)) == (1 if connection_kept else 2)
    with pytest.raises(UNAVAILABLE):
        transaction(raising(code, times + 1)[0])


def test_a_direct_session_has_limits_and_prepared_statements(app: Flask) -> None:
    for _ in range(9):
        ping()
    with connect() as connection:
        assert not postgresql.is_pooled(connection)
        assert limits(connection) == ["8s", "5s", "30s"]
        assert connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) > 0


def limits(connection: Connection) -> list[Any]:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    return [connection.scalar(text(f"SHOW {name}")) for name in names]


@pytest.fixture(params=["refuses", "drops"])
def pooler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A pooler that refuses or drops start-up options. The list grows with each refusal."""
    connect, refused = postgresql._TimeoutConnection.connect, []

    def pooled(*arguments: Any, options: str | None = None, **others: Any) -> Any:
        if options and request.param == "refuses":
            refused.append(1)
            raise psycopg.OperationalError("connection failed: FATAL:  unsupported startup parameter: options")
        return connect(*arguments, **others)

    monkeypatch.setattr(postgresql._TimeoutConnection, "connect", pooled)
    return refused


def test_through_a_pooler_limits_are_set_in_each_transaction(pooler: list[int], app: Flask) -> None:
    found = transaction(limits)
    for _ in range(9):
        ping()
    with connect() as connection:
        assert postgresql.is_pooled(connection)
        assert limits(connection) == ["0", "0", "0"]
        assert connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0
    sessions(4)

    assert found == ["8s", "5s", "30s"]
    assert len(pooler) <= 1


def test_a_statement_that_is_no_longer_prepared_is_retried(app: Flask) -> None:
    """A pooler that forwards options, and runs each transaction in another session."""
    statement = text("UPDATE locks SET until = until WHERE name = :name")
    for _ in range(9):
        execute(statement, {"name": "x"})
    with connect() as connection:
        connection.connection.dbapi_connection.pgconn.exec_(b"DEALLOCATE ALL")  # Unpids by the driver.
    for _ in range(9):
        execute(statement, {"name": "x"})
    with connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0
