"""The database: one engine a process, statements that commit by themselves, and the database's clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Double, Engine, Executable, Row, select
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, configure_mappers
from sqlalchemy.sql.functions import FunctionElement

from database import postgresql, sqlite
from database.group_commit import Commits, DirectCommit, GroupCommit, Work
from services import current_services

T = TypeVar("T")

UNAVAILABLE = (OperationalError, InterfaceError, TimeoutError)
"""The errors of a database that does not answer. A retry may succeed."""

_MIN_PAUSE, _MAX_PAUSE = 0.2, 3.0
_MAX_REASON = 500


class Base(DeclarativeBase):
    """Base class of all tables."""


class DatabaseTime(FunctionElement[float]):
    """Seconds since the epoch by the database's clock, the only one that leases and expiry are compared with."""

    type = Double()
    inherit_cache = True


@compiles(DatabaseTime, "sqlite")
def _sqlite_time(element: DatabaseTime, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(DatabaseTime)
def _postgresql_time(element: DatabaseTime, compiler: Any, **options: Any) -> str:
    return "extract(epoch from clock_timestamp())"


@dataclass(frozen=True)
class Database:
    """The connections of one app."""

    autocommit: Engine
    """Commits each statement."""
    commits: Commits


def execute(statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
    """Execute and commit one statement that changes data. Returns its rows."""

    def work(connection: Connection) -> Sequence[Row[Any]]:
        result = connection.execute(statement, values)
        return result.all() if result.returns_rows else ()

    return current_services().database.commits.statement(work)


def transaction(work: Work[T]) -> T:
    """Run `work(connection)` in a transaction, and return its result after the commit. Rolls back if it raises."""
    return current_services().database.commits.transaction(work)


def connect() -> Connection:
    """A connection for reading. It commits each statement: one round trip instead of three."""
    return current_services().database.autocommit.connect()


def retry_while_unavailable(operation: Callable[[], T], seconds: float) -> T:
    """Return `operation()`, retried while the database is unavailable; raises its last error after `seconds`.

    The operation must be idempotent: a lost answer does not say whether it succeeded.
    """
    pause, deadline = _MIN_PAUSE, time.monotonic() + seconds
    while True:
        try:
            return operation()
        except UNAVAILABLE:
            if time.monotonic() >= deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _MAX_PAUSE)


def describe(error: BaseException) -> str:
    """The cause of a database error for the log: its code (SQLSTATE, or SQLite's name) and message.

    Of an error with a SQLSTATE only the first line: later ones may contain values of a row. A failed connection has
    one line for each host. No line contains a password.
    """
    cause = getattr(error, "orig", None) or error
    sqlstate, lines = postgresql.sqlstate(error), str(cause).strip().splitlines() or [""]
    code = sqlstate or sqlite.error_name(error) or type(cause).__name__
    return f"{code}: {lines[0] if sqlstate else '; '.join(lines)}"[:_MAX_REASON]


def was_rolled_back(error: BaseException) -> bool:
    """Return whether the failed statement certainly changed nothing. A lost answer does not say."""
    if isinstance(error, TimeoutError):
        return True  # The pool had no connection.
    return postgresql.was_rolled_back(error) or sqlite.was_rolled_back(error)


def now() -> float:
    """Seconds since the epoch by the database's clock."""
    with connect() as connection:
        return float(connection.execute(select(DatabaseTime())).scalar_one())


def ping() -> None:
    """Raises OperationalError if the database does not answer or is read-only."""
    with connect() as connection:
        if connection.dialect.name == "sqlite":
            sqlite.check(connection)
        else:
            postgresql.check(connection)


def init_app(app: Flask, db: SQLAlchemy, uri: str, max_connections: int) -> Database:
    """The engine of `db` for this app, with at most `max_connections` connections a process. Opens none yet."""
    is_sqlite = uri.startswith("sqlite")
    app.config["SQLALCHEMY_DATABASE_URI"] = uri
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_pre_ping": not is_sqlite,
        "pool_size": max_connections,
        "max_overflow": 8,  # For the threads of sweep, changes, removal and leases.
        "pool_timeout": 5,
        "hide_parameters": True,  # The text of an error is logged.
    }
    configure_mappers()
    db.init_app(app)
    with app.app_context():
        autocommit = {"begins": False} if is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        engine = db.engine.execution_options(**autocommit)
        if is_sqlite:
            sqlite.listen(db.engine)
            return Database(engine, GroupCommit(db.engine, engine, Path(f"{db.engine.url.database}-turn")))
        postgresql.Connections().listen(db.engine)
        return Database(engine, DirectCommit(db.engine, engine, postgresql.max_retries))
