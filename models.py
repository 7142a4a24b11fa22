"""Rows: the table of files, and what more than one statement asks of it.

A row in hand is a plain value: `lookups` read it, `moves` change it.
"""

from __future__ import annotations

import enum
from typing import Any, cast

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, Double, Enum, Index, Row, String, Table, and_, bindparam, or_
from sqlalchemy.orm import Mapped, mapped_column

from database import engine
from database.engine import Base, DatabaseTime

db = SQLAlchemy(model_class=Base)
migrate = Migrate()


class UploadStatus(enum.StrEnum):
    """Where a file is in its life."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"


class File(Base):
    """One upload. Sizes are bytes, times are seconds since the epoch.

    Instances are plain values read from a row: they are never added to a session, and change only by a move.
    `attempt` only grows: it is the fence. `attempts_before` of them were made before the file was last asked for
    again. `spool` names the spool that has its bytes. `due_at` is when a waiting file may be handed out (again).
    `deleted_at` marks a file that is being removed: it is gone for everybody but the sweep.
    `owner` is whom it belongs to, None where nobody had to say who they are; `reserved` is how many bytes it counts
    for there unless it is in ERROR. `content_type` is what the client says, `detected_type` what the bytes say.
    """

    __tablename__ = "files"
    __table_args__ = (
        Index("ix_files_status_id", "upload_status", "id"),
        Index("ix_files_owner_id", "owner", "id"),
        Index("ix_files_expires_at", "expires_at"),
        Index("ix_files_deleted_at", "deleted_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(String(1024))
    url: Mapped[str | None] = mapped_column(String(2048))
    upload_status: Mapped[UploadStatus] = mapped_column(Enum(UploadStatus, native_enum=False, length=16))
    mode: Mapped[str] = mapped_column(String(16))
    size: Mapped[int | None] = mapped_column(BigInteger)
    content_type: Mapped[str] = mapped_column(String(255))
    detected_type: Mapped[str | None] = mapped_column(String(255))
    owner: Mapped[str | None] = mapped_column(String(64))
    reserved: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64))
    received_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    version_id: Mapped[str | None] = mapped_column(String(1024))
    error: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(String(255))
    attempt: Mapped[int] = mapped_column(default=0)
    attempts_before: Mapped[int] = mapped_column(default=0)
    spool: Mapped[str | None] = mapped_column(String(36))
    lease_until: Mapped[float | None] = mapped_column(Double)
    due_at: Mapped[float | None] = mapped_column(Double)
    expires_at: Mapped[float | None] = mapped_column(Double)
    deleted_at: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)

    @property
    def attempts(self) -> int:
        """How many were made since the file was accepted, or last asked for again."""
        return self.attempt - self.attempts_before


FILES = cast(Table, File.__table__)
_COLUMNS = tuple(FILES.c.keys())

NOW = DatabaseTime()
NOT_DELETED = FILES.c.deleted_at.is_(None)
LEASE_EXPIRED = and_(FILES.c.upload_status == UploadStatus.PROCESSING, FILES.c.lease_until < NOW)
"""Its holder's lease ran out."""
ABANDONED = and_(LEASE_EXPIRED, NOT_DELETED)
DUE = and_(FILES.c.upload_status == UploadStatus.PENDING, FILES.c.due_at <= NOW, NOT_DELETED)
"""It waits, and may be handed out."""

FAILED_FOR_GOOD = and_(
    FILES.c.upload_status == UploadStatus.ERROR,
    NOT_DELETED,
    or_(FILES.c.spool.is_(None), FILES.c.updated_at < NOW - bindparam("kept", type_=Double())),
)
"""It ended as ERROR, and its bytes are gone: none were kept, or not for longer than `kept` seconds."""


def file_from_row(row: Row[Any]) -> File:
    """A row of FILES as a File. The ORM's own way costs about half as much again as the query."""
    value = cast(File, File.__mapper__.class_manager.new_instance())
    vars(value).update(zip(_COLUMNS, row, strict=True))
    return value


def init_app(app: Flask, uri: str, connections: int) -> engine.Database:
    """The app's database, with at most `connections` connections a process. Opens none yet."""
    migrate.init_app(app, db)
    return engine.init_app(app, db, uri, connections)
