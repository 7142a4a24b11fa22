"""Bytes that wait: the local disk that holds every accepted file until it is stored. The receipt behind a 202.

A file of the spool is named by its row's id and holds just the bytes. It appears whole or not at all: it is
written beside its place, forced to disk, renamed, and the folder's entry is forced to disk too.
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
from problems import BytesLost, StorageFull
from quotas.spool_budget import SpoolBudget

CHUNK = 1 << 20
_UNFINISHED = ".unfinished"
_NAME = re.compile(rf"(?P<id>{ID.pattern})({re.escape(_UNFINISHED)})?")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK)
"""What os.link says on a disk without hard links: vfat, exFAT, some FUSE and network file systems."""
_NO_FOLDER_SYNC = (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What fsync says of a folder on a file system that knows it for files only."""


@dataclass(frozen=True)
class SpooledFile:
    """One file of the spool: the row's id, bytes, seconds since it was last written, whether it is whole."""

    id: str
    size: int
    age: float
    complete: bool


class Spool:
    """One folder on a local disk. Any number of threads and processes may share it."""

    def __init__(self, folder: Path, budget: int | None = None) -> None:
        """`budget`: the most bytes that may be kept, to the precision of what other processes receive just then."""
        self.folder = folder
        self._budget = None if budget is None else SpoolBudget(budget, self._bytes_beside)

    @cached_property
    def identity(self) -> str:
        """The name of this spool, for ever: what tells the hosts' spools apart where they share a database."""
        place = self.folder / ".identity"
        self._make_folder()
        if not place.exists():
            mine = place.with_name(f".identity.{uuid.uuid4()}")
            try:
                _write(mine, iter([str(uuid.uuid4()).encode()]))
                _publish(mine, place)
            finally:
                mine.unlink(missing_ok=True)
            sync_folder(self.folder)
        return place.read_text()

    def write(self, id: str, stream: Iterator[bytes], max_bytes: int | None = None, client: str = "") -> None:
        """Write all that `stream` yields, at most `bound` bytes if known; on return it would survive a power cut.

        Bytes on their way are counted for `client`. Raises StorageFull where the disk has no room,
        TooMuchWaiting where the budget has none: before the stream is read if that is known then, else in the middle.
        That, and whatever `stream` raises, leaves nothing behind.
        """
        place = self.path(id)
        unfinished = place.with_name(place.name + _UNFINISHED)
        kept = False
        try:
            with _full_disk_told():
                self._make_folder()
                self._check_disk(max_bytes or 0)
                if self._budget:
                    self._budget.begin(id, client, max_bytes)
                _write(unfinished, self._counted(id, stream, max_bytes))
                unfinished.rename(place)
                sync_folder(self.folder)
            kept = True
        except BaseException:
            unfinished.unlink(missing_ok=True)
            place.unlink(missing_ok=True)
            raise
        finally:
            if self._budget:
                self._budget.end(id, spooled=kept)

    def open(self, id: str) -> Iterator[bytes]:
        """Yield the kept bytes in chunks of 1 MiB. Raises BytesLost at the first where there are none."""
        try:
            with self.path(id).open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise BytesLost from error

    def delete(self, id: str) -> None:
        """Remove the kept bytes, where there are any: a worker on another machine has no spool."""
        self.path(id).unlink(missing_ok=True)

    def has(self, id: str) -> bool:
        """Whether all bytes of the file are here."""
        return self.path(id).exists()

    def is_local(self, identity: str | None) -> bool:
        """Whether bytes kept under that identity would be here."""
        return identity in (None, self.identity)

    def may_hold(self, id: str, identity: str | None) -> bool:
        """Whether the bytes of a file may still be somewhere: here, or in another spool, of that identity."""
        return identity is not None and (identity != self.identity or self.has(id))

    def files(self) -> Iterator[SpooledFile]:
        """Everything in the spool, whole or not. What came or went meanwhile may be missing."""
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if match := _NAME.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        found = entry.stat()
                        whole = not entry.name.endswith(_UNFINISHED)
                        yield SpooledFile(match["id"], found.st_size, time.time() - found.st_mtime, whole)

    def remove(self, kept: SpooledFile) -> None:
        """Remove what `files` has shown, and nothing else of that id."""
        place = self.path(kept.id)
        (place if kept.complete else place.with_name(place.name + _UNFINISHED)).unlink(missing_ok=True)

    def path(self, id: str) -> Path:
        """Where the bytes of the file `id` are, or would be. Raises ValueError where it is not an id: a path, say."""
        if not ID.fullmatch(id):
            raise ValueError("not the id of a file")
        return self.folder / id

    def _make_folder(self) -> None:
        """Make the folder for its owner alone: accepted bytes are not for the other users of the machine."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _check_disk(self, size: int) -> None:
        free = os.statvfs(self.folder)
        if size > free.f_bavail * free.f_frsize:
            raise StorageFull

    def _bytes_beside(self, ids: Collection[str]) -> int:
        return sum(kept.size for kept in self.files() if kept.id not in ids)

    def _counted(self, id: str, stream: Iterator[bytes], max_bytes: int | None) -> Iterator[bytes]:
        """The stream, each piece counted before it is written. One of any length must not fill the disk either."""
        size = 0
        for chunk in stream:
            size += len(chunk)
            if max_bytes is None:
                self._check_disk(size)
            if self._budget:
                self._budget.record(id, size)
            yield chunk


@contextmanager
def _full_disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise


def _write(path: Path, stream: Iterator[bytes]) -> None:
    with open(path, "wb", buffering=0, opener=_private) as file:
        for chunk in stream:
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
        os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _publish(mine: Path, place: Path) -> None:
    """Give a whole file the name `place`, unless a file has it: of all who try at once, the first one's stays."""
    try:
        os.link(mine, place)
        return
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    lock = os.open(place.with_name(place.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            mine.rename(place)
    finally:
        os.close(lock)


def sync_folder(folder: Path) -> bool:
    """Force a folder's entries to disk. False: this file system can't, and keeps their order by itself, or not."""
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
