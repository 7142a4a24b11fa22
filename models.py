"""Rows: the table of files and the moves of a file's life. Every race between holders is decided in here.

A move is one conditional UPDATE in a transaction of its own; whoever's UPDATE changes no row has lost and must
touch nothing. Reads run in autocommit, so that they cost one round trip and, on SQLite, never wait for a writer.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    ClauseElement,
    Connection,
    Double,
    Enum,
    Index,
    Select,
    String,
    and_,
    event,
    insert,
    or_,
    select,
    update,
)  # fmt: skip
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
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
        status, attempt = (UploadStatus.PENDING, 0) if lease is None else (UploadStatus.PROCESSING, 1)
        until = None if lease is None else DatabaseTime() + lease
        with db.engine.begin() as connection:
            connection.execute(
                insert(File).values(
                    id=self.id, name=self.name, key=self.key, mode=self.mode, size=self.size, sha256=self.sha256,
                    content_type=self.content_type, created_at=self.created_at, updated_at=self.created_at,
                    upload_status=status, attempt=attempt, lease_until=until, stored_bytes=0,
                )
            )  # fmt: skip
        self.upload_status, self.attempt, self.stored_bytes = status, attempt, 0
        self.updated_at = self.created_at

    def claim(self, lease: float) -> bool:
        """Take the file to work on it, if it waits or its holder's lease ran out. On success `attempt` is ours."""
        free = or_(
            File.upload_status == UploadStatus.PENDING,
            and_(File.upload_status == UploadStatus.PROCESSING, File.lease_until < DatabaseTime()),
        )
        taken = (
            update(File)
            .where(File.id == self.id, free)
            .values(
                upload_status=UploadStatus.PROCESSING,
                attempt=File.attempt + 1,
                lease_until=DatabaseTime() + lease,
                updated_at=DatabaseTime(),
            )
            .returning(File.attempt, File.updated_at)
        )
        with db.engine.begin() as connection:
            row = connection.execute(taken).one_or_none()
        if row is None:
            return False
        self.upload_status, self.attempt, self.updated_at = UploadStatus.PROCESSING, row.attempt, row.updated_at
        return True

    def heartbeat(self, lease: float) -> bool:
        """Lengthen our lease to `lease` seconds from now. False: somebody else has the file."""
        return self._move(lease_until=DatabaseTime() + lease)

    def complete(self, *, url: str, size: int, sha256: str) -> bool:
        """End as COMPLETE, stored and verified. False: somebody else has the file."""
        return self._move(
            upload_status=UploadStatus.COMPLETE, url=url, size=size, sha256=sha256, stored_bytes=size, error=None,
            lease_until=None, due_at=None,
        )  # fmt: skip

    def fail(self, reason: str) -> bool:
        """End as ERROR for `reason`, a problem's slug. False: somebody else has the file."""
        return self._move(upload_status=UploadStatus.ERROR, error=reason, stored_bytes=0, lease_until=None, due_at=None)

    def give_back(self, reason: str, pause: float) -> bool:
        """Back to PENDING, to be tried again in `pause` seconds or later. False: somebody else has the file."""
        return self._move(
            upload_status=UploadStatus.PENDING, error=reason, stored_bytes=0, lease_until=None,
            due_at=DatabaseTime() + pause,
        )  # fmt: skip

    def _move(self, **values: Any) -> bool:
        """Change the row if, and only if, our claim still stands (the fence), and this value with it."""
        mine = and_(File.id == self.id, File.attempt == self.attempt, File.upload_status == UploadStatus.PROCESSING)
        changed = update(File).where(mine).values(updated_at=DatabaseTime(), **values).returning(File.updated_at)
        with db.engine.begin() as connection:
            row = connection.execute(changed).one_or_none()
        if row is None:
            return False
        known = {name: value for name, value in values.items() if not isinstance(value, ClauseElement)}
        for name, value in {**known, "updated_at": row.updated_at}.items():
            setattr(self, name, value)
        return True

    @staticmethod
    def find(id: str) -> File | None:
        """The file with this id."""
        return next(iter(_read(select(File.__table__).where(File.id == id))), None)

    @staticmethod
    def page(limit: int, before: str | None = None, status: UploadStatus | None = None) -> Sequence[File]:
        """At most `limit` files, newest first, older than the id `before`: UUIDv7 sort by their time."""
        query = select(File.__table__).order_by(File.id.desc()).limit(limit)
        if before is not None:
            query = query.where(File.id < before)
        if status is not None:
            query = query.where(File.upload_status == status)
        return _read(query)


def _read(query: Select[Any]) -> Sequence[File]:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return [File(**row._mapping) for row in connection.execute(query)]


def ping() -> None:
    """Raises when the database does not answer."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(select(1))


def init_app(app: Flask, uri: str, connections: int) -> None:
    """Give the app its engine, of at most `connections` connections a process. Opens none yet."""
    app.config["SQLALCHEMY_DATABASE_URI"] = uri
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_pre_ping": not uri.startswith("sqlite")} | (
        {"pool_size": connections, "max_overflow": 4, "pool_timeout": 5}
    )
    db.init_app(app)
    migrate.init_app(app, db)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
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
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
