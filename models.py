"""Rows: the table of files and the moves of a file's life. Every race between holders is decided in here.

A move is one conditional UPDATE, and so a transaction in itself; whoever's UPDATE changes no row has lost and must
touch nothing.
"""

from __future__ import annotations

import enum
from typing import Any, cast

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Double,
    Enum,
    Index,
    Row,
    String,
    Table,
    Update,
    and_,
    bindparam,
    case,
    delete,
    insert,
    or_,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

import database
import owners
from database import Base, DatabaseTime, transaction, writing

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

    def accept(self, lease: float, *, held: bool = False) -> None:
        """Commit this file's row, as PENDING or as held by the caller (attempt 1).

        Who has accepted a PENDING file hands it out; if nobody has claimed it `lease` seconds later, the sweep does.
        `reserved` bytes are counted as its owner's; of a held file fewer, where only so many fit, and it is changed to
        that. Raises owners.QuotaExceeded where it can't be.
        """
        values = {name: getattr(self, name) for name in _GIVEN}
        values |= {"updated_at": self.created_at, "stored_bytes": 0, "attempts_before": 0, "deleted_at": None}
        values |= {"received_bytes": self.size or 0, "version_id": None}
        values |= (
            {"upload_status": UploadStatus.PROCESSING, "attempt": 1}
            if held
            else {"upload_status": UploadStatus.PENDING, "attempt": 0}
        )
        with writing() if self.owner is None else transaction() as connection:
            if self.owner is not None:
                values["reserved"] = owners.add(connection, self.owner, self.reserved, 1, whole=not held)
            connection.execute(_INSERT_HELD if held else _INSERT, values | {"lease": lease})
        vars(self).update(values)

    def claim(self, lease: float) -> bool:
        """Take the file to work on it, if it waits or its holder's lease ran out. On success `attempt` is ours."""
        with writing() as connection:
            row = connection.execute(_CLAIM, {"mine": self.id, "lease": lease}).one_or_none()
        if row is not None:
            vars(self).update(row._mapping, upload_status=UploadStatus.PROCESSING)
        return row is not None

    def heartbeat(self, lease: float) -> bool:
        """Lengthen our lease to `lease` seconds from now. False: somebody else has the file."""
        return self._keep(_HEARTBEAT, lease=lease)

    def progress(self, lease: float, received: int, stored: int) -> bool:
        """The same, and say how many bytes have come and are stored. Of a file that came before, all have."""
        return self._keep(_PROGRESS, lease=lease, received_bytes=self.size or received, stored_bytes=stored)

    def complete(self, *, url: str, size: int, sha256: str, version_id: str | None = None) -> bool:
        """End as COMPLETE, stored and verified. False: somebody else has the file."""
        values = {"url": url, "size": size, "stored_bytes": size, "sha256": sha256, "error": None, "reserved": size}
        values |= {"received_bytes": size, "version_id": version_id}
        return self._move(_END, values | {"upload_status": UploadStatus.COMPLETE}, count=(size - self.reserved, 0))

    def fail(self, reason: str) -> bool:
        """End as ERROR for `reason`, a problem's slug. False: somebody else has the file."""
        values = {"upload_status": UploadStatus.ERROR, "error": reason, "stored_bytes": 0}
        return self._move(_END, values, count=(-self.reserved, -1))

    def give_back(self, reason: str, pause: float) -> bool:
        """Back to PENDING, to be tried again in `pause` seconds or later. False: somebody else has the file."""
        values = {"upload_status": UploadStatus.PENDING, "error": reason, "stored_bytes": 0}
        return self._move(_GIVE_BACK, values, pause=pause)

    def drop(self, reason: str) -> bool:
        """End as ERROR for `reason` in place of a holder whose lease ran out. False: there is no such holder."""
        values = {"upload_status": UploadStatus.ERROR, "error": reason, "stored_bytes": 0}
        return self._move(_DROP, values, count=(-self.reserved, -1))

    def release(self) -> bool:
        """Back to PENDING, due now, in place of a holder whose lease ran out. False: there is no such holder."""
        return self._move(_RELEASE, {"upload_status": UploadStatus.PENDING, "stored_bytes": 0})

    def hand_out(self, least: float) -> bool:
        """Take the turn to hand out a waiting file that is due. False: it is not, or somebody else has taken it.

        If nobody claims it, it is due again in `least` seconds, the next time in twice that, up to an hour: a worker
        may have a long queue, and must not find each file in it many times.
        """
        return self._move(_HAND_OUT, {}, least=least)

    def put_off(self, pause: float) -> bool:
        """Due in `pause` seconds: it was not handed out after all. False: somebody has taken the file."""
        return self._move(_PUT_OFF, {}, pause=pause)

    def retry(self) -> bool:
        """Back to PENDING, due now, with as many attempts as at first. False: the file is not in ERROR.

        Raises owners.QuotaExceeded where its owner has no room for it any more.
        """
        values = {"upload_status": UploadStatus.PENDING, "error": None, "attempts_before": self.attempt}
        return self._move(_RETRY, values, count=(self.reserved, 1))

    def delete(self) -> bool:
        """Mark as deleted. Whoever holds the file loses it; its bytes go when nobody can be at work on it any more.

        False: it was deleted already.
        """
        with writing() if self.owner is None else transaction() as connection:
            row = connection.execute(_DELETE, {"mine": self.id}).one_or_none()
            if row is not None and self.owner is not None and row.upload_status != UploadStatus.ERROR:
                owners.add(connection, self.owner, -row.reserved, -1)
        if row is not None:
            vars(self).update(row._mapping)
        return row is not None

    def forget(self) -> None:
        """Remove the row of a deleted file."""
        with writing() as connection:
            connection.execute(_FORGET, {"mine": self.id})

    def flag(self, reason: str | None) -> bool:
        """Say of a COMPLETE file what is wrong with its object."""
        return self._move(_FLAG, {"error": reason})

    def _move(
        self, statement: Update, values: dict[str, Any], count: tuple[int, int] = (0, 0), **lengths: float
    ) -> bool:
        """Change the row if, and only if, it still is as the statement wants it, and then this value with it.

        `count` is by how many bytes and files that changes what the owner has: in the same transaction.
        """
        fence = {"mine": self.id, "my_attempt": self.attempt}
        counted = self.owner is not None and count != (0, 0)
        with transaction() if counted else writing() as connection:
            row = connection.execute(statement, values | lengths | fence).one_or_none()
            if row is not None and counted:
                owners.add(connection, self.owner or "", *count)
        if row is not None:
            vars(self).update(values, **row._mapping)
        return row is not None

    def _keep(self, statement: Update, **values: float) -> bool:
        """A move beside the work. This value stays as it is: the thread that works may just be ending the file."""
        with writing() as connection:
            fence = {"mine": self.id, "my_attempt": self.attempt}
            return connection.execute(statement, values | fence).one_or_none() is not None


# Statements are built once: building one takes longer than running it.
FILES = cast(Table, File.__table__)
_COLUMNS = tuple(FILES.c.keys())
_GIVEN = (
    "id", "name", "key", "mode", "size", "sha256", "content_type", "detected_type", "owner", "reserved", "spool",
    "expires_at", "created_at",
)  # fmt: skip
NOW = DatabaseTime()
_AHEAD = NOW + bindparam("lease", type_=Double())
NOT_DELETED = FILES.c.deleted_at.is_(None)
SILENT = and_(FILES.c.upload_status == UploadStatus.PROCESSING, FILES.c.lease_until < NOW)
ABANDONED = and_(SILENT, NOT_DELETED)
DUE = and_(FILES.c.upload_status == UploadStatus.PENDING, FILES.c.due_at <= NOW, NOT_DELETED)
_WAITED = NOW - FILES.c.updated_at
_MOST = 3600.0
_LEAST: BindParameter[float] = bindparam("least", type_=Double())

# The attempt's number grows, so that no move of a present holder finds the row any more.
_DELETE = (
    update(FILES)
    .where(FILES.c.id == bindparam("mine"), NOT_DELETED)
    .values(deleted_at=NOW, updated_at=NOW, attempt=FILES.c.attempt + 1)
    .returning(FILES.c.deleted_at, FILES.c.upload_status, FILES.c.reserved, FILES.c.lease_until, FILES.c.version_id)
)
_FORGET = delete(FILES).where(FILES.c.id == bindparam("mine"), FILES.c.deleted_at.is_not(None))

_INSERT = insert(FILES).values(due_at=_AHEAD)
_INSERT_HELD = insert(FILES).values(lease_until=_AHEAD)
_CLAIM = (
    update(FILES)
    .where(
        FILES.c.id == bindparam("mine"),
        NOT_DELETED,
        or_(FILES.c.upload_status == UploadStatus.PENDING, ABANDONED),
    )
    .values(
        upload_status=UploadStatus.PROCESSING,
        attempt=FILES.c.attempt + 1,
        stored_bytes=0,
        lease_until=_AHEAD,
        updated_at=NOW,
    )
    .returning(FILES.c.attempt, FILES.c.stored_bytes, FILES.c.updated_at)
)
_MOVE = (
    update(FILES)
    .where(FILES.c.id == bindparam("mine"), FILES.c.attempt == bindparam("my_attempt"))
    .returning(FILES.c.updated_at)
)
_HOLDING = _MOVE.where(FILES.c.upload_status == UploadStatus.PROCESSING)
# `updated_at` stays: nobody sees a heartbeat.
_HEARTBEAT = _HOLDING.values(lease_until=_AHEAD)
_HELD = _HOLDING.values(updated_at=NOW)
_PROGRESS = _HELD.values(lease_until=_AHEAD)
_END = _HELD.values(lease_until=None, due_at=None)
_GIVE_BACK = _HELD.values(lease_until=None, due_at=NOW + bindparam("pause", type_=Double()))
_DROP = _END.where(FILES.c.lease_until < NOW)
_RELEASE = _HELD.where(FILES.c.lease_until < NOW).values(lease_until=None, due_at=NOW)
# `updated_at` stays: how long a file has waited is how long it waits for its next turn.
_HAND_OUT = _MOVE.where(DUE).values(
    due_at=NOW + case((_WAITED > _MOST, _MOST), (_WAITED > _LEAST, _WAITED), else_=_LEAST)
)
_PUT_OFF = _MOVE.where(FILES.c.upload_status == UploadStatus.PENDING).values(
    due_at=NOW + bindparam("pause", type_=Double())
)
_RETRY = _MOVE.where(FILES.c.upload_status == UploadStatus.ERROR).values(updated_at=NOW, due_at=NOW)
_FLAG = _MOVE.where(FILES.c.upload_status == UploadStatus.COMPLETE).values(updated_at=NOW)


def value_of(row: Row[Any]) -> File:
    """A row of FILES as a File. The ORM's own way costs about half as much again as the query."""
    value = cast(File, File.__mapper__.class_manager.new_instance())
    vars(value).update(zip(_COLUMNS, row, strict=True))
    return value


def init_app(app: Flask, uri: str, connections: int) -> None:
    """Give the app its database, with at most `connections` connections a process. Opens none yet."""
    database.init_app(app, db, uri, connections)
    migrate.init_app(app, db)
