"""Rows: the table of files and the moves of a file's life. Every race between holders is decided in here.

A move is one conditional UPDATE, and so a transaction in itself; whoever's UPDATE changes no row has lost and must
touch nothing. On SQLite reads never wait for a writer.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

from flask import Flask, current_app
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    Engine,
    Enum,
    Index,
    Row,
    Select,
    String,
    Table,
    Update,
    and_,
    bindparam,
    event,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, configure_mappers, mapped_column
from sqlalchemy.sql.functions import FunctionElement


class Base(DeclarativeBase):
    """The declarative base that Flask-SQLAlchemy shares its metadata with."""


db = SQLAlchemy(model_class=Base)
migrate = Migrate()


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


class UploadStatus(enum.StrEnum):
    """Where a file is in its life."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"


class File(Base):
    """One upload. Sizes are bytes, times are seconds since the epoch.

    Instances are plain values read from a row: they are never added to a session, and change only by a move.
    """

    __tablename__ = "files"
    __table_args__ = (Index("ix_files_status_id", "upload_status", "id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(String(1024))
    url: Mapped[str | None] = mapped_column(String(2048))
    upload_status: Mapped[UploadStatus] = mapped_column(Enum(UploadStatus, native_enum=False, length=16))
    mode: Mapped[str] = mapped_column(String(16))
    size: Mapped[int | None] = mapped_column(BigInteger)
    content_type: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str | None] = mapped_column(String(64))
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    error: Mapped[str | None] = mapped_column(String(64))
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None] = mapped_column(Double)
    due_at: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)

    def accept(self, lease: float | None = None) -> None:
        """Commit this file's row as PENDING or, with a lease in seconds, as held by the caller (attempt 1)."""
        values = {name: getattr(self, name) for name in _GIVEN} | {"updated_at": self.created_at, "stored_bytes": 0}
        if lease is None:
            values |= {"upload_status": UploadStatus.PENDING, "attempt": 0}
            statement, lengths = _INSERT, {}
        else:
            values |= {"upload_status": UploadStatus.PROCESSING, "attempt": 1}
            statement, lengths = _INSERT_HELD, {"lease": lease}
        with _writing() as connection:
            connection.execute(statement, values | lengths)
        vars(self).update(values)

    def claim(self, lease: float) -> bool:
        """Take the file to work on it, if it waits or its holder's lease ran out. On success `attempt` is ours."""
        with _writing() as connection:
            row = connection.execute(_CLAIM, {"mine": self.id, "lease": lease}).one_or_none()
        if row is not None:
            vars(self).update(row._mapping, upload_status=UploadStatus.PROCESSING)
        return row is not None

    def heartbeat(self, lease: float) -> bool:
        """Lengthen our lease to `lease` seconds from now. False: somebody else has the file."""
        return self._move(_HEARTBEAT, {}, lease=lease)

    def complete(self, *, url: str, size: int, sha256: str) -> bool:
        """End as COMPLETE, stored and verified. False: somebody else has the file."""
        values = {"url": url, "size": size, "stored_bytes": size, "sha256": sha256, "error": None}
        return self._move(_END, values | {"upload_status": UploadStatus.COMPLETE})

    def fail(self, reason: str) -> bool:
        """End as ERROR for `reason`, a problem's slug. False: somebody else has the file."""
        return self._move(_END, {"upload_status": UploadStatus.ERROR, "error": reason, "stored_bytes": 0})

    def give_back(self, reason: str, pause: float) -> bool:
        """Back to PENDING, to be tried again in `pause` seconds or later. False: somebody else has the file."""
        values = {"upload_status": UploadStatus.PENDING, "error": reason, "stored_bytes": 0}
        return self._move(_GIVE_BACK, values, pause=pause)

    def _move(self, statement: Update, values: dict[str, Any], **lengths: float) -> bool:
        """Change the row if, and only if, our claim still stands, and then this value with it."""
        fence = {"mine": self.id, "my_attempt": self.attempt}
        with _writing() as connection:
            row = connection.execute(statement, values | lengths | fence).one_or_none()
        if row is not None:
            vars(self).update(values, **row._mapping)
        return row is not None

    @staticmethod
    def find(id: str) -> File | None:
        """The file with this id."""
        return next(iter(_read(_BY_ID, id=id)), None)

    @staticmethod
    def page(limit: int, before: str | None = None, status: UploadStatus | None = None) -> Sequence[File]:
        """At most `limit` files, newest first, older than the id `before`: UUIDv7 sort by their time."""
        query = select(_FILES).order_by(_FILES.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(_FILES.c.id < before)
        if status is not None:
            query = query.where(_FILES.c.upload_status == status)
        return _read(query)


# Statements are built once: building one takes longer than running it.
_FILES = cast(Table, File.__table__)
_GIVEN = ("id", "name", "key", "mode", "size", "sha256", "content_type", "created_at")
_NOW = DatabaseTime()
_AHEAD = _NOW + bindparam("lease", type_=Double())
_FREE = or_(
    _FILES.c.upload_status == UploadStatus.PENDING,
    and_(_FILES.c.upload_status == UploadStatus.PROCESSING, _FILES.c.lease_until < _NOW),
)
_BY_ID = select(_FILES).where(_FILES.c.id == bindparam("id"))
_INSERT = insert(_FILES)
_INSERT_HELD = insert(_FILES).values(lease_until=_AHEAD)
_CLAIM = (
    update(_FILES)
    .where(_FILES.c.id == bindparam("mine"), _FREE)
    .values(upload_status=UploadStatus.PROCESSING, attempt=_FILES.c.attempt + 1, lease_until=_AHEAD, updated_at=_NOW)
    .returning(_FILES.c.attempt, _FILES.c.updated_at)
)
_FENCED = (
    update(_FILES)
    .where(
        _FILES.c.id == bindparam("mine"),
        _FILES.c.attempt == bindparam("my_attempt"),
        _FILES.c.upload_status == UploadStatus.PROCESSING,
    )
    .values(updated_at=_NOW)
    .returning(_FILES.c.updated_at)
)
_HEARTBEAT = _FENCED.values(lease_until=_AHEAD)
_END = _FENCED.values(lease_until=None, due_at=None)
_GIVE_BACK = _FENCED.values(lease_until=None, due_at=_NOW + bindparam("pause", type_=Double()))


@contextmanager
def _writing() -> Iterator[Connection]:
    """A connection for the one statement of a move, which is a transaction in itself."""
    with current_app.extensions["writers"], _autocommit() as connection:
        yield connection


def _autocommit() -> Connection:
    """A connection on which each statement is committed as it ends: one round trip in place of three."""
    engine: Engine = current_app.extensions["autocommit"]
    return engine.connect()


def _read(query: Select[Any], **values: Any) -> Sequence[File]:
    with _autocommit() as connection:
        return [_value(row) for row in connection.execute(query, values)]


def _value(row: Row[Any]) -> File:
    """The row as a File. The ORM's own way costs about half as much again as the query."""
    value = cast(File, File.__mapper__.class_manager.new_instance())
    vars(value).update(row._mapping)
    return value


def ping() -> None:
    """Raises when the database does not answer."""
    with _autocommit() as connection:
        connection.execute(select(1))


def init_app(app: Flask, uri: str, connections: int) -> None:
    """Give the app its engine, of at most `connections` connections a process. Opens none yet."""
    sqlite = uri.startswith("sqlite")
    app.config["SQLALCHEMY_DATABASE_URI"] = uri
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_pre_ping": not sqlite,
        "pool_size": connections,
        "max_overflow": 4,
        "pool_timeout": 5,
    }
    configure_mappers()
    db.init_app(app)
    migrate.init_app(app, db)
    with app.app_context():
        autocommit = {"begins": False} if sqlite else {"isolation_level": "AUTOCOMMIT"}
        app.extensions["autocommit"] = db.engine.execution_options(**autocommit)
        # SQLite has one writer at a time and lets the others poll for their turn, up to 100 ms at a time. Those of
        # this process wait for each other here, and go on at once.
        app.extensions["writers"] = threading.Lock() if sqlite else nullcontext()
        if sqlite:
            event.listen(db.engine, "do_connect", _sqlite_folder)
            event.listen(db.engine, "connect", _sqlite_connect)
            event.listen(db.engine, "begin", _sqlite_begin)


def _sqlite_folder(dialect: object, record: object, arguments: Sequence[str], options: object) -> None:
    Path(arguments[0]).parent.mkdir(parents=True, exist_ok=True)


def _sqlite_connect(connection: Any, record: object) -> None:
    connection.isolation_level = None
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    """A deferred BEGIN that turns into a write fails at once under WAL, whatever busy_timeout says."""
    if connection.get_execution_options().get("begins", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
