"""The table of files, and the conditions on it that several statements share."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple, cast

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, Double, Enum, Index, String, Table, and_, bindparam, or_
from sqlalchemy.orm import Mapped, mapped_column

from database import engine
from database.engine import Base, DatabaseTime

db = SQLAlchemy(model_class=Base)
migrate = Migrate()


class UploadStatus(enum.StrEnum):
    """The status of a file."""

    PENDING = "PENDING"
    """Accepted: its bytes are safe, and no attempt has claimed it."""
    PROCESSING = "PROCESSING"
    """Claimed by an attempt."""
    COMPLETE = "COMPLETE"
    """Stored and verified."""
    ERROR = "ERROR"
    """Ended, with a reason."""


class File(Base):
    """The model of a file, for migrations, `flask shell` and tools. Sizes are bytes, times seconds since the epoch.

    Ferry itself passes around a `FileRow`, and changes rows by transitions only.
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
    """As the client declared it."""
    detected_type: Mapped[str | None] = mapped_column(String(255))
    """As sniffed from the first bytes."""
    owner: Mapped[str | None] = mapped_column(String(64))
    """None for anonymous uploads."""
    reserved: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes counted towards the owner's quota, unless the status is ERROR."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    received_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    version_id: Mapped[str | None] = mapped_column(String(1024))
    error: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(String(255))
    attempt: Mapped[int] = mapped_column(default=0)
    """The number of the latest attempt, and the fencing token: see `lifecycle.transitions.fencing`."""
    attempts_before: Mapped[int] = mapped_column(default=0)
    """`attempt` when the file was last retried by request."""
    spool: Mapped[str | None] = mapped_column(String(36))
    """Identity of the spool that has the bytes."""
    lease_until: Mapped[float | None] = mapped_column(Double)
    due_at: Mapped[float | None] = mapped_column(Double)
    """When a PENDING file may be dispatched (again), or the removal of a deleted one be retried."""
    expires_at: Mapped[float | None] = mapped_column(Double)
    deleted_at: Mapped[float | None] = mapped_column(Double)
    """Set while the file is being removed: only the sweep still sees it."""
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)


FILES = cast(Table, File.__table__)


class FileRow(NamedTuple):
    """One row of FILES, as it was read: an immutable value with the columns of `File`, in their order."""

    id: str
    name: str
    key: str
    url: str | None
    upload_status: UploadStatus
    mode: str
    size: int | None
    content_type: str
    detected_type: str | None
    owner: str | None
    reserved: int
    sha256: str | None
    received_bytes: int
    stored_bytes: int
    version_id: str | None
    error: str | None
    error_detail: str | None
    attempt: int
    attempts_before: int
    spool: str | None
    lease_until: float | None
    due_at: float | None
    expires_at: float | None
    deleted_at: float | None
    created_at: float
    updated_at: float

    @property
    def attempts_made(self) -> int:
        """Attempts since the file was accepted, or last retried by request."""
        return self.attempt - self.attempts_before


@dataclass(frozen=True, kw_only=True)
class NewFile:
    """A file that has no row yet."""

    id: str
    name: str
    key: str
    mode: str
    content_type: str
    detected_type: str | None = None
    owner: str | None = None
    ttl: float | None = None
    """Seconds from the insertion of the row to the file's expiry."""
    size: int | None = None
    sha256: str | None = None
    spool: str | None = None
    reserved: int = 0


NOW = DatabaseTime()
NOT_DELETED = FILES.c.deleted_at.is_(None)
LEASE_EXPIRED = and_(FILES.c.upload_status == UploadStatus.PROCESSING, FILES.c.lease_until < NOW)
ABANDONED = and_(LEASE_EXPIRED, NOT_DELETED)
DUE = and_(FILES.c.upload_status == UploadStatus.PENDING, FILES.c.due_at <= NOW, NOT_DELETED)
"""PENDING, and may be dispatched."""

FAILED_WITHOUT_BYTES = and_(
    FILES.c.upload_status == UploadStatus.ERROR,
    NOT_DELETED,
    or_(FILES.c.spool.is_(None), FILES.c.updated_at < NOW - bindparam("retention", type_=Double())),
)
"""In ERROR for good: it was never spooled, or the spool deleted its bytes after `retention` seconds."""


def init_app(app: Flask, uri: str, connections: int) -> engine.Database:
    """The app's database, with at most `connections` connections a process. Opens none yet."""
    migrate.init_app(app, db)
    return engine.init_app(app, db, uri, connections)
