"""Partial downloads: a hidden file beside the target, named after the file's id, until the download is complete.

Its name contains nothing of the file's name: no two files collide, and every file system accepts it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import BinaryIO
from urllib.parse import quote

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PARTIAL_SUFFIX = ".ferry-part"


def is_partial(name: str) -> bool:
    """Return whether a file of this name is an unfinished download."""
    return name.startswith(".") and name.endswith(PARTIAL_SUFFIX)


class PartialFile:
    """`stream` holds the bytes received so far; this download is its only writer."""

    def __init__(self, path: Path, stream: BinaryIO, *, resumable: bool) -> None:
        """`resumable`: a later download can find it by its name."""
        self._path, self.stream, self._resumable = path, stream, resumable

    def commit(self, target: Path) -> None:
        """Replace `target`. The lock is held until then, so that no other download truncates the bytes."""
        self.stream.flush()
        if not self._resumable:
            self.stream.close()  # Windows can't rename an open file.
        os.replace(self._path, target)

    def abandon(self) -> None:
        """Delete the file, unless a later download can resume it."""
        if not self._resumable:
            with suppress(OSError):  # Buffered bytes that do not fit on a full disk.
                self.stream.close()
            self._path.unlink(missing_ok=True)
        elif not os.fstat(self.stream.fileno()).st_size:
            self._path.unlink(missing_ok=True)


@contextmanager
def open_partial(folder: Path, id: str) -> Iterator[PartialFile]:
    """Open the partial download of a file in `folder`, or a new one; keep it for the next download on an error.

    One download at a time locks it. A second one of the same file, or any where files can't be locked, starts from
    zero in a private file, which an error deletes.
    """
    partial = _open_shared(folder / f".{quote(id, safe='')}{PARTIAL_SUFFIX}") or _open_private(folder, id)
    try:
        yield partial
    except BaseException:
        partial.abandon()
        raise
    finally:
        partial.stream.close()


def _open_shared(path: Path) -> PartialFile | None:
    """Return None if another download holds the lock, or if the disk has no locks and the name is therefore unused."""
    while fcntl:
        stream = path.open("a+b")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            stream.close()
            if not isinstance(error, BlockingIOError) and not path.stat().st_size:
                path.unlink()
            return None
        if _is_at(path, stream):
            return PartialFile(path, stream, resumable=True)
        stream.close()  # The previous lock holder renamed or deleted it between open() and flock().
    return None


def _open_private(folder: Path, id: str) -> PartialFile:
    path = folder / f".{quote(id, safe='')}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}"
    return PartialFile(path, path.open("x+b"), resumable=False)


def _is_at(path: Path, stream: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False
