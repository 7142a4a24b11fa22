"""Find the local files that a command names, and hash them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferry_client.cli.exclude import ExcludeRule
from ferry_client.cli.stdio import DASH, STDIN_NAME
from ferry_client.files import File
from ferry_client.partial_file import is_partial
from ferry_client.request_body import CHUNK_BYTES

_IGNORED_TYPES = {
    stat.S_IFDIR: "a link to a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


@dataclass(frozen=True)
class LocalFile:
    """A file to send."""

    path: Path | None
    """None for standard input."""
    label: str
    """The path for the user: relative, starting with the name of the folder on the command line."""
    size: int | None
    """None if it can be read only once."""


@dataclass(frozen=True)
class IgnoredEntry:
    """An entry of a folder without bytes to send."""

    label: str
    reason: str


def find_files(
    paths: Sequence[str], *, recursive: bool, stdin_name: str = STDIN_NAME, exclude: Sequence[ExcludeRule] = ()
) -> Iterator[LocalFile | IgnoredEntry | OSError]:
    """Yield the files of all paths, and an error for each path that can't be read. Links to folders are not followed.

    A pipe or device is read only if it is named in `paths`. `exclude` applies to `paths` too, because a shell expands
    `*` to them.
    """
    for argument in paths:
        path = Path(argument)
        if argument == DASH:
            yield LocalFile(None, Path(stdin_name).name, None)
        elif _is_excluded(exclude, path.name, os.path.isdir(path)):
            continue
        elif not os.path.isdir(path):
            yield _local_file(path, path.name)
        elif not recursive:
            yield IsADirectoryError(0, "is a folder: --recursive sends what is in it", str(path))
        else:
            yield from _walk(path, exclude)


def _is_excluded(exclude: Sequence[ExcludeRule], path: str, is_folder: bool) -> bool:
    return any(rule(path, is_folder) for rule in exclude)


def _walk(folder: Path, exclude: Sequence[ExcludeRule]) -> Iterator[LocalFile | IgnoredEntry | OSError]:
    errors: list[OSError] = []
    root = folder.resolve().name
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        relative = Path(parent).relative_to(folder)
        folders[:] = sorted(name for name in folders if not _is_excluded(exclude, (relative / name).as_posix(), True))
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        names = [name for name in names if not _is_excluded(exclude, (relative / name).as_posix(), False)]
        for name in sorted([*names, *links]):
            yield _entry(Path(parent, name), f"{root}/{(relative / name).as_posix()}")
    yield from errors


def _entry(path: Path, label: str) -> LocalFile | IgnoredEntry | OSError:
    try:
        reason = _IGNORED_TYPES.get(stat.S_IFMT(path.stat().st_mode))
    except OSError as error:
        return error
    if is_partial(path.name):
        reason = "an unfinished download"
    return IgnoredEntry(label, reason) if reason else _local_file(path, label)


def _local_file(path: Path, label: str) -> LocalFile | OSError:
    try:
        status = path.stat()
    except OSError as error:
        return error
    return LocalFile(path, label, status.st_size if stat.S_ISREG(status.st_mode) else None)


def has_same_content(path: Path, file: File) -> bool:
    """Return whether `path` is a file with the bytes of `file`."""
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256


def sha256_of(path: Path) -> str:
    """Return the SHA-256 in hexadecimal, as the server writes it."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
