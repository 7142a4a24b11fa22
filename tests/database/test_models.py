"""The table of files, its migrations, and SQLite's settings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flask_migrate
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import text

from app import create_app
from dev import parts
from lifecycle import transitions
from models import UploadStatus, db
from tests.harness.factories import claim, pending_row


def test_there_are_four_statuses() -> None:
    assert list(UploadStatus) == ["PENDING", "PROCESSING", "COMPLETE", "ERROR"]


def test_concurrent_sqlite_writers_do_not_fail(app: Flask) -> None:
    """With a deferred BEGIN a writer fails at once if another has written since it read."""

    def upload(number: int) -> bool:
        with app.app_context():
            row = pending_row(name=f"{number}")
            with db.engine.begin() as connection:
                connection.execute(text("SELECT count(*) FROM files"))
                connection.execute(text("UPDATE files SET name = 'seen' WHERE id = :id"), {"id": row.id})
            return transitions.set_complete(claim(row), url="u", size=0, sha256="")

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(upload, range(80)))


def test_sqlite_commits_survive_a_power_failure(app: Flask) -> None:
    with db.engine.connect() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]

    assert pragmas == ["wal", 2]


def test_the_migrations_make_the_models_schema(app: Flask) -> None:
    with db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), db.metadata) == []


def test_the_migrations_can_be_reverted(tmp_path: Path) -> None:
    app = create_app({"FERRY_DATA": str(tmp_path), "STORAGE": "memory"})
    with app.app_context():
        flask_migrate.upgrade(directory=str(parts.ROOT / "migrations"))
        flask_migrate.downgrade(directory=str(parts.ROOT / "migrations"), revision="base")
        with db.engine.connect() as connection:
            tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        db.engine.dispose()

    assert tables == ["alembic_version"]
