"""The database: one engine a process, statements that are transactions in themselves, and its clock.

On SQLite reads never wait for a writer.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Double, Engine, Executable, Row, event, select
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, configure_mappers
from sqlalchemy.sql.functions import FunctionElement

from database import postgresql
from database.group_commit import Commits, DirectCommit, GroupCommit, Work
from services import current_services

T = TypeVar("T")

UNAVAILABLE = (OperationalError, InterfaceError, TimeoutError)
"""What a database raises that does not answer. Trying again may help."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0
_LONGEST_REASON = 500
_SQLITE_UNDONE = ("SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN")


class Base(DeclarativeBase):
    """What every table is declared on."""


class DatabaseTime(FunctionElement[float]):
    """Seconds since the epoch by the database's clock: the only clock that leases are measured by."""

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
    """How an app reads and writes."""

    autocommit: Engine
    """Commits every statement as it ends."""
    commits: Commits


def execute(statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
    """Change something by one statement. Returns the rows that it gives back, once it is committed."""

    def work(connection: Connection) -> Sequence[Row[Any]]:
        result = connection.execute(statement, values)
        return result.all() if result.returns_rows else ()

    return current_services().database.commits.statement(work)


def transaction(work: Work[T]) -> T:
    """What `work` returns, once all that its statements have changed is committed; nothing is where it raises."""
    return current_services().database.commits.transaction(work)


def connect() -> Connection:
    """A connection on which each statement is committed as it ends: one round trip in place of three."""
    return current_services().database.autocommit.connect()


def retry_while_unavailable(move: Callable[[], T], seconds: float) -> T:
    """What `move` returns, as soon as the database lets it; raises what it says after `seconds`.

    For a move that may be done twice: an answer that was lost does not say whether it was done.
    """
    pause, deadline = _FIRST_PAUSE, time.monotonic() + seconds
    while True:
        try:
            return move()
        except UNAVAILABLE:
            if time.monotonic() >= deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def reason(error: BaseException) -> str:
    """Why the database failed, for the log: its code (SQLSTATE, SQLite's name) and what it says first.

    Behind the first line of a statement's failure values may stand, of a row say. Why no connection came about may
    have a line for each host. A password is in none of it.
    """
    cause = getattr(error, "orig", None) or error
    sqlstate, lines = postgresql.sqlstate(error), str(cause).strip().splitlines() or [""]
    code = sqlstate or getattr(cause, "sqlite_errorname", None) or type(cause).__name__
    return f"{code}: {lines[0] if sqlstate else '; '.join(lines)}"[:_LONGEST_REASON]


def was_rolled_back(error: BaseException) -> bool:
    """Whether it is sure that what failed so changed nothing. An answer that was lost does not say."""
    if isinstance(error, TimeoutError):
        return True  # It never had a connection.
    name = getattr(getattr(error, "orig", None), "sqlite_errorname", "")
    return postgresql.was_rolled_back(error) or name.startswith(_SQLITE_UNDONE)


def now() -> float:
    """Seconds since the epoch by the database's clock."""
    with connect() as connection:
        return float(connection.execute(select(DatabaseTime())).scalar_one())


def ping() -> None:
    """Raises when the database does not answer, or takes no changes."""
    with connect() as connection:
        if connection.dialect.name == "sqlite":
            _sqlite_check(connection)
        else:
            postgresql.check(connection)


def init_app(app: Flask, db: SQLAlchemy, uri: str, most: int) -> Database:
    """The engine of `db` for this app, with at most `most` connections a process. Opens none yet."""
    sqlite = uri.startswith("sqlite")
    app.config["SQLALCHEMY_DATABASE_URI"] = uri
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_pre_ping": not sqlite,
        "pool_size": most,
        "max_overflow": 8,  # For those who sweep, watch, remove, and keep leases.
        "pool_timeout": 5,
        "hide_parameters": True,  # An error's text goes to the log.
    }
    configure_mappers()
    db.init_app(app)
    with app.app_context():
        autocommit = {"begins": False} if sqlite else {"isolation_level": "AUTOCOMMIT"}
        engine = db.engine.execution_options(**autocommit)
        if sqlite:
            turn = Path(f"{db.engine.url.database}-turn")
            event.listen(db.engine, "do_connect", _sqlite_folder)
            event.listen(db.engine, "connect", _sqlite_connect)
            event.listen(db.engine, "begin", _sqlite_begin)
            return Database(engine, GroupCommit(db.engine, engine, turn))
        connections = postgresql.Connections()
        event.listen(db.engine, "do_connect", connections.connect)
        event.listen(db.engine, "begin", connections.limit)
        event.listen(db.engine, "handle_error", connections.failed)
        return Database(engine, DirectCommit(db.engine, engine, postgresql.max_retries))


def _sqlite_folder(dialect: object, record: object, arguments: Sequence[str], options: object) -> None:
    """Make folder and file for their owner alone. SQLite gives the file's permissions to the two beside it.

    A file that is there is not opened: closing it would give back the locks that SQLite holds on it (fcntl(2)). What
    fails here fails again in SQLite, as an error of the database.
    """
    path = Path(arguments[0])
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _sqlite_connect(connection: Any, record: object) -> None:
    connection.isolation_level = None
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_check(connection: Connection) -> None:
    connection.execute(select(1))
    if not os.access(str(connection.engine.url.database), os.W_OK):
        raise OperationalError(None, None, sqlite3.OperationalError("attempt to write a readonly database"))


def _sqlite_begin(connection: Connection) -> None:
    """A deferred BEGIN that turns into a write fails at once under WAL, whatever busy_timeout says."""
    if connection.get_execution_options().get("begins", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
