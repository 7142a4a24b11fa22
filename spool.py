"""The spool: local disk that holds every accepted file until it is stored. The receipt behind a 202.

A spooled file is named by its row's id and contains only the bytes. It appears atomically: it is written under a
temporary name, synced, renamed, and the folder is synced too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from content.filenames import ID
from problems import BytesLost, SpoolDiskFull
from quotas.spool_budget import SpoolBudget

CHUNK = 1 << 20
_UNFINISHED = ".unfinished"
_NAME = re.compile(rf"(?P<id>{ID.pattern})({re.escape(_UNFINISHED)})?")
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK)
"""Errors of os.link on a disk without hard links: vfat, exFAT, some FUSE and network file systems."""
_NO_FOLDER_SYNC = (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Errors of fsync for a folder on file systems that support it for files only."""


@dataclass(frozen=True)
class SpooledFile:
    """A file in the spool."""

    id: str
    """The row's id."""
    size: int
    """Bytes."""
    age: float
    """Seconds since the last write."""
    complete: bool
    """False while it is being received."""


class Spool:
    """A folder on a local disk. Threads and processes may share it."""

    def __init__(self, folder: Path, budget: int | None = None) -> None:
        """`budget`: maximum bytes; inexact by what other processes receive at the moment. None: no limit."""
        self.folder = folder
        self._budget = None if budget is None else SpoolBudget(budget, self._bytes_except)

    @cached_property
    def identity(self) -> str:
        """The permanent name of this spool. It distinguishes the spools of hosts that share a database."""
        path = self.folder / ".identity"
        self._create_folder()
        if not path.exists():
            candidate = path.with_name(f".identity.{uuid.uuid4()}")
            try:
                _write(candidate, iter([str(uuid.uuid4()).encode()]))
                _publish(candidate, path)
            finally:
                candidate.unlink(missing_ok=True)
            sync_folder(self.folder)
        return path.read_text()

    def write(self, id: str, stream: Iterator[bytes], max_bytes: int | None = None, client: str = "") -> None:
        """Write the stream to disk; when this returns, the bytes survive a power failure.

        `max_bytes`: upper bound of the stream, None if unknown. Bytes being received count for `client`. Raises
        SpoolDiskFull if the disk is full and SpoolLimitReached if the budget is used up: before the stream is read if
        `max_bytes` shows it, else while reading. These and the stream's own errors leave no file behind.
        """
        path = self.path(id)
        unfinished = path.with_name(path.name + _UNFINISHED)
        is_spooled = False
        try:
            with _disk_full_errors():
                self._create_folder()
                self._check_disk(max_bytes or 0)
                if self._budget:
                    self._budget.begin(id, client, max_bytes)
                _write(unfinished, self._reserve(id, stream, max_bytes))
                unfinished.rename(path)
                sync_folder(self.folder)
            is_spooled = True
        except BaseException:
            unfinished.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
        finally:
            if self._budget:
                self._budget.end(id, spooled=is_spooled)

    def open(self, id: str) -> Iterator[bytes]:
        """Yield the bytes in chunks of 1 MiB. Raises BytesLost at the first chunk if the file is missing."""
        try:
            with self.path(id).open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise BytesLost from error

    def delete(self, id: str) -> None:
        """Delete the file; a missing one is not an error, because a worker on another machine has no spool."""
        self.path(id).unlink(missing_ok=True)

    def has(self, id: str) -> bool:
        """Return whether the file is complete in this spool."""
        return self.path(id).exists()

    def is_local(self, identity: str | None) -> bool:
        """Return whether that identity is this spool's, or none is recorded."""
        return identity in (None, self.identity)

    def may_hold(self, id: str, identity: str | None) -> bool:
        """Return whether the file may still exist: in this spool, or in another one of that identity."""
        return identity is not None and (identity != self.identity or self.has(id))

    def files(self) -> Iterator[SpooledFile]:
        """Yield all files, complete or not. Files created or deleted during the iteration may be missing."""
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if match := _NAME.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        stat = entry.stat()
                        is_complete = not entry.name.endswith(_UNFINISHED)
                        yield SpooledFile(match["id"], stat.st_size, time.time() - stat.st_mtime, is_complete)

    def delete_entry(self, file: SpooledFile) -> None:
        """Delete a file that `files` has yielded; an unfinished one leaves the complete one of that id alone."""
        path = self.path(file.id)
        (path if file.complete else path.with_name(path.name + _UNFINISHED)).unlink(missing_ok=True)

    def path(self, id: str) -> Path:
        """Return the path for an id. Raises ValueError if it is not an id, but a path for example."""
        if not ID.fullmatch(id):
            raise ValueError("not the id of a file")
        return self.folder / id

    def _create_folder(self) -> None:
        """Create the folder with mode 0700: accepted bytes are private."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _check_disk(self, size: int) -> None:
        free = os.statvfs(self.folder)
        if size > free.f_bavail * free.f_frsize:
            raise SpoolDiskFull

    def _bytes_except(self, ids: Collection[str]) -> int:
        return sum(file.size for file in self.files() if file.id not in ids)

    def _reserve(self, id: str, stream: Iterator[bytes], max_bytes: int | None) -> Iterator[bytes]:
        """Yield the stream; before each chunk reserve its budget and, if the length is unknown, check the disk."""
        size = 0
        for chunk in stream:
            size += len(chunk)
            if max_bytes is None:
                self._check_disk(size)
            if self._budget:
                self._budget.record(id, size)
            yield chunk


@contextmanager
def _disk_full_errors() -> Iterator[None]:
    """Raise SpoolDiskFull instead of the OSErrors of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise SpoolDiskFull from error
        raise


def _write(path: Path, stream: Iterator[bytes]) -> None:
    with open(path, "wb", buffering=0, opener=_open_private) as file:
        for chunk in stream:
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
        os.fsync(file.fileno())


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _publish(candidate: Path, path: Path) -> None:
    """Rename a file to `path` unless that exists: of concurrent calls the first one wins."""
    try:
        os.link(candidate, path)
        return
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            candidate.rename(path)
    finally:
        os.close(lock)


def sync_folder(folder: Path) -> bool:
    """Sync a folder's entries to disk.

    Returns False if the file system cannot; a new name may then be lost in a power failure.
    """
    entry = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(entry)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
        return False
    finally:
        os.close(entry)
    return True
