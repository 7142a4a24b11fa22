"""Ferry without group commit on SQLite: threads wait for each other, processes for SQLite's own lock."""

from __future__ import annotations

import threading
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine

import app
from database import engine, group_commit


class SingleCommit(group_commit.DirectCommit):
    """Commit each change alone, one at a time in this process."""

    def __init__(self, engine: Engine, autocommit: Engine, _: Path) -> None:
        super().__init__(engine, autocommit, lambda _: 0)
        self._lock = threading.Lock()

    def statement(self, work: group_commit.Work[group_commit.T]) -> group_commit.T:
        with self._lock:
            return super().statement(work)

    def transaction(self, work: group_commit.Work[group_commit.T]) -> group_commit.T:
        with self._lock:
            return super().transaction(work)


def create_app() -> Flask:
    """Create the app with this commit strategy."""
    assert hasattr(engine, "GroupCommit")
    engine.GroupCommit = SingleCommit  # type: ignore[assignment, misc]
    return app.create_app()
