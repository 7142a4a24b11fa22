"""`flask doctor`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from flask import Flask

import models
from app import create_app
from cli.doctor import _DATABASE_ADVICE
from database import postgresql
from dev import parts
from dev.process import free_port
from storage.s3 import retries
from storage.s3.storage import S3Storage


@pytest.fixture
def healthy(settings: dict[str, str], rclone: str) -> Iterator[Flask]:
    storage = S3Storage(
        bucket=parts.BUCKET, endpoint=rclone, aws_access_key_id=parts.ACCESS_KEY, aws_secret_access_key=parts.SECRET_KEY
    )
    app = create_app(settings, {"storage": storage})
    with app.app_context():
        yield app


def test_a_healthy_service_passes(healthy: Flask) -> None:
    ran = healthy.test_cli_runner().invoke(args=["doctor"])

    assert ran.exit_code == 0, ran.output
    lines = ran.output.splitlines()
    assert {line[:4] for line in lines} == {"ok  "}
    assert [line[6:].split()[0].rstrip(":") for line in lines] == [
        "database", "broker", "workers", "storage", "clock", "bucket", "write", "endpoint", "spool", "locks",
        "permissions",
    ]  # fmt: skip


def test_each_failure_has_advice_and_no_password_is_shown(
    settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x" * 16)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-hunter2")
    (tmp_path / "file").write_text("")
    port = free_port()
    app = create_app(
        settings
        | {
            "STORAGE": "s3",
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "SQLALCHEMY_DATABASE_URI": f"postgresql+psycopg://me:hunter2@127.0.0.1:{port}/ferry",
            "CELERY_BROKER_URL": f"redis://:hunter2@127.0.0.1:{port}/0",
            "SPOOL_DIR": str(tmp_path / "file" / "spool"),
        }
    )
    ran = app.test_cli_runner().invoke(args=["doctor"])

    assert ran.exit_code == 1
    assert "hunter2" not in ran.output
    for setting in ("SQLALCHEMY_DATABASE_URI", "CELERY_BROKER_URL", "S3_ENDPOINT_URL", "S3_BUCKET_NAME", "SPOOL_DIR"):
        assert setting in ran.output
    assert ran.output.count("FAIL") == 6


def test_a_missing_schema_is_reported(settings: dict[str, str], tmp_path: Path) -> None:
    app = create_app(settings | {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/fresh.db"})
    ran = app.test_cli_runner().invoke(args=["doctor"])

    assert ran.exit_code == 1
    assert "flask db upgrade" in ran.output


def database_checks(app: Flask) -> list[str]:
    """The doctor's lines about the database."""
    lines = app.test_cli_runner().invoke(args=["doctor"]).output.splitlines()
    return [line for line in lines if line[6:].startswith(("database", "clock"))]


@contextmanager
def altered_role(url: str, change: str, undo: str) -> Iterator[None]:
    """Alter the role that Ferry connects as, and undo it. Drops the pooled connections."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"ALTER ROLE ferry {change}")
        models.db.engine.dispose()
        try:
            yield
        finally:
            connection.execute(f"ALTER ROLE ferry {undo}")


def test_the_databases_error_message_is_shown(app_on_postgresql: Flask, postgresql_server: str) -> None:
    assert [line[:4] for line in database_checks(app_on_postgresql)] == ["ok  "]
    with altered_role(postgresql_server, "NOLOGIN", "LOGIN"):
        refused = database_checks(app_on_postgresql)

    assert 'FATAL: role "ferry" is not permitted to log in. Check SQLALCHEMY_DATABASE_URI' in refused[0]


def test_a_read_only_database_is_reported(app_on_postgresql: Flask, postgresql_server: str) -> None:
    name = "default_transaction_read_only"
    with altered_role(postgresql_server, f"SET {name} = on", f"RESET {name}"):
        refused = database_checks(app_on_postgresql)

    assert refused[0].startswith("FAIL")
    assert "25006: the server is read-only. A standby" in refused[0]


def test_a_connection_pooler_is_reported(app_on_postgresql: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "is_pooled", lambda _: True)

    assert "reached, through a connection pooler, schema up to date" in database_checks(app_on_postgresql)[0]


@pytest.mark.parametrize(("skew", "message"), [(3600, "3600 s behind"), (-3600, "3600 s ahead of")])
def test_clock_skew_is_reported(app: Flask, monkeypatch: pytest.MonkeyPatch, skew: float, message: str) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + skew)

    assert message in database_checks(app)[1]


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("25006: the server is read-only", "target_session_attrs"),
        ("OperationalError: connection failed: FATAL:  session is read-only", "target_session_attrs"),
        ("OperationalError: attempt to write a readonly database", "must be writable"),
        ("08P01: query_wait_timeout", "pooler"),
        ("OperationalError: connection failed: FATAL:  sorry, too many clients already", "max_connections"),
        ('OperationalError: FATAL:  too many connections for role "ferry"', "max_connections"),
        ("OperationalError: FATAL:  remaining connection slots are reserved for roles", "max_connections"),
        ("OperationalError: FATAL:  no more connections allowed (max_client_conn)", "pooler"),
        ("OperationalError: FATAL:  server login has been failing, try again later (server_login_retry)", "pooler"),
        ("OperationalError: connection refused", "that the database of SQLALCHEMY_DATABASE_URI runs"),
    ],
)
def test_advice_depends_on_the_databases_message(message: str, advice: str) -> None:
    assert advice in next(remedy for pattern, remedy in _DATABASE_ADVICE if re.search(pattern, message))
