"""Where a download grows until it is whole: a hidden file beside its target, named after the file's id.

Its name has nothing of the file's: two files are never in each other's way, and any name that a disk takes will do.
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

SUFFIX = ".ferry-part"


def is_partial(name: str) -> bool:
    """Whether a file of this name is a download that has not ended."""
    return name.startswith(".") and name.endswith(SUFFIX)


class Partial:
    """`stream` holds what has come so far. Nobody else writes to it."""

    def __init__(self, path: Path, stream: BinaryIO, *, stays: bool) -> None:
        self._path, self.stream, self._stays = path, stream, stays

    def become(self, to: Path) -> None:
        """Take the place of what is at `to`. The lock is held until that is done: nobody can truncate it meanwhile."""
        self.stream.flush()
        if not self._stays:
            self.stream.close()  # Windows renames nothing that is open.
        os.replace(self._path, to)

    def give_up(self) -> None:
        """Leave only what is of use: bytes that the next download of this file will find."""
        if not self._stays:
            with suppress(OSError):  # What a full disk has no room for.
                self.stream.close()
            self._path.unlink(missing_ok=True)
        elif not os.fstat(self.stream.fileno()).st_size:
            self._path.unlink(missing_ok=True)


@contextmanager
def partial(folder: Path, id: str) -> Iterator[Partial]:
    """What an earlier download of the file has left in `folder`, or a new one. A failure leaves it to the next.

    One download at a time has it. Another one of the same file, or one where nothing can be locked, starts from nothing
    in a file of its own, which a failure removes.
    """
    found = _shared(folder / f".{quote(id, safe='')}{SUFFIX}") or _own(folder, id)
    try:
        yield found
    except BaseException:
        found.give_up()
        raise
    finally:
        found.stream.close()


def _shared(path: Path) -> Partial | None:
    """None where another download holds it, or nothing can be locked: nobody uses this name on such a disk."""
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
            return Partial(path, stream, stays=True)
        stream.close()  # Who held it before has renamed or removed it between open() and flock().
    return None


def _own(folder: Path, id: str) -> Partial:
    path = folder / f".{quote(id, safe='')}.{secrets.token_hex(4)}{SUFFIX}"
    return Partial(path, path.open("x+b"), stays=False)


def _is_at(path: Path, stream: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False
