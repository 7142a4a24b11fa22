"""SQLite: durable commits, one writer at a time, readers that never wait for it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.exc import OperationalError

_ROLLED_BACK = ("SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN")


def listen(engine: Engine) -> None:
    """Set up every connection of an engine."""
    event.listen(engine, "do_connect", _create_file)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin_immediate)


def error_name(error: BaseException) -> str | None:
    """SQLite's name of a failure, such as SQLITE_BUSY; None if it has none."""
    return getattr(getattr(error, "orig", None) or error, "sqlite_errorname", None)


def was_rolled_back(error: BaseException) -> bool:
    """Return whether the failed statement certainly changed nothing."""
    return (error_name(error) or "").startswith(_ROLLED_BACK)


def check(connection: Connection) -> None:
    """Raises OperationalError if the database is read-only."""
    connection.execute(select(1))
    if not os.access(str(connection.engine.url.database), os.W_OK):
        raise OperationalError(None, None, sqlite3.OperationalError("attempt to write a readonly database"))


def _create_file(dialect: object, record: object, arguments: Sequence[str], options: object) -> None:
    """Create folder and file, readable by their owner only. SQLite gives -wal and -shm the permissions of the file.

    An existing file is not opened: closing it would drop the locks that SQLite holds on it (fcntl(2)). What fails here
    fails again in SQLite, as a database error.
    """
    path = Path(arguments[0])
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _set_pragmas(connection: Any, record: object) -> None:
    connection.isolation_level = None
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """A deferred BEGIN that becomes a write fails at once under WAL, whatever busy_timeout says."""
    if connection.get_execution_options().get("begins", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
