"""The operator's commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from dev import parts
from dev.process import free_port
from storage import retries
from storage.s3 import S3Storage


@pytest.fixture
def healthy(app: Flask, rclone: str) -> Flask:
    app.extensions["storage"] = S3Storage(
        bucket=parts.BUCKET, endpoint=rclone, aws_access_key_id=parts.ACCESS_KEY, aws_secret_access_key=parts.SECRET_KEY
    )
    return app


def test_doctor_finds_a_healthy_service_healthy(healthy: Flask) -> None:
    ran = healthy.test_cli_runner().invoke(args=["doctor"])

    assert ran.exit_code == 0, ran.output
    lines = ran.output.splitlines()
    assert {line[:4] for line in lines} == {"ok  "}
    assert [line[6:].split()[0].rstrip(":") for line in lines] == [
        "database", "broker", "storage", "clock", "bucket", "write", "dialect", "spool", "locks", "permissions",
    ]  # fmt: skip


def test_doctor_says_what_to_do_about_each_failure_and_shows_no_password(
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


def test_doctor_notices_a_schema_that_is_missing(settings: dict[str, str], tmp_path: Path) -> None:
    app = create_app(settings | {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/fresh.db"})
    ran = app.test_cli_runner().invoke(args=["doctor"])

    assert ran.exit_code == 1
    assert "flask db upgrade" in ran.output
