"""Ferry that commits each change by itself on SQLite: threads wait for each other, processes for SQLite's own lock."""

from __future__ import annotations

import threading
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine

import app
from database import engine, group_commit


class Apart(group_commit.DirectCommit):
    """One write of this process at a time."""

    def __init__(self, engine: Engine, autocommit: Engine, _: Path) -> None:
        super().__init__(engine, autocommit)
        self._lock = threading.Lock()

    def one(self, work: group_commit.Work[group_commit.T]) -> group_commit.T:
        with self._lock:
            return super().one(work)

    def several(self, work: group_commit.Work[group_commit.T]) -> group_commit.T:
        with self._lock:
            return super().several(work)


def create_app() -> Flask:
    """The app, whose database is made with it."""
    engine.Together = Apart  # type: ignore[assignment, misc]
    return app.create_app()
