"""Bytes that wait: the local disk that holds every accepted file until it is stored. The receipt behind a 202.

A file of the spool is named by its row's id and holds just the bytes. It appears whole or not at all: it is
written beside its place, forced to disk, renamed, and the folder's entry is forced to disk too.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask, current_app

from problems import BytesLost, StorageFull

CHUNK = 1 << 20
_UNFINISHED = ".unfinished"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Spool:
    """One folder on a local disk. Any number of threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, id: str, stream: Iterator[bytes]) -> None:
        """Write all that `stream` yields; on return it would survive a power cut.

        Raises StorageFull where the disk has no room. That, and whatever `stream` raises, leaves nothing behind.
        """
        place = self.path(id)
        unfinished = place.with_name(place.name + _UNFINISHED)
        try:
            with _full_disk_told():
                self.folder.mkdir(parents=True, exist_ok=True)
                _write(unfinished, stream)
                unfinished.rename(place)
                _sync_folder(self.folder)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            place.unlink(missing_ok=True)
            raise

    def open(self, id: str) -> Iterator[bytes]:
        """Yield the kept bytes in chunks of 1 MiB. Raises BytesLost at the first where there are none."""
        try:
            with self.path(id).open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise BytesLost from error

    def discard(self, id: str) -> None:
        """Remove the kept bytes, where there are any: a worker on another machine has no spool."""
        self.path(id).unlink(missing_ok=True)

    def path(self, id: str) -> Path:
        """Where the bytes of the file `id` are, or would be."""
        return self.folder / id


@contextmanager
def _full_disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise


def _write(path: Path, stream: Iterator[bytes]) -> None:
    with path.open("wb", buffering=0) as file:
        for chunk in stream:
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)


def init_app(app: Flask, folder: Path) -> None:
    """Give the app its spool. Touches no disk yet."""
    app.extensions["spool"] = Spool(folder)


def of() -> Spool:
    """The spool of the current app. Needs an app context."""
    spool: Spool = current_app.extensions["spool"]
    return spool
