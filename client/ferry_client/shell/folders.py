"""Which local files a command means, and what their bytes are."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferry_client.bodies import PIECE
from ferry_client.files import File
from ferry_client.partial import is_partial
from ferry_client.shell.patterns import Excluded
from ferry_client.shell.standard import NAME, STANDARD

_NO_FILES = {
    stat.S_IFDIR: "a link to a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


@dataclass(frozen=True)
class Local:
    """A file to send; standard input, if it has no `path`. `size` is None for what can be read only once.

    `label` is its path as the user means it: with the name of the folder that was asked for.
    """

    path: Path | None
    label: str
    size: int | None


@dataclass(frozen=True)
class Ignored:
    """What is in a folder and has no bytes to send."""

    label: str
    kind: str


def found(
    paths: Sequence[str], *, recursive: bool, standard: str = NAME, exclude: Sequence[Excluded] = ()
) -> Iterator[Local | Ignored | OSError]:
    """The files of all paths; an error for each that is none. Folders that are links are not gone into: circles.

    A pipe or device that is named itself is read: there it is meant so. Standard input goes by the name `standard`.
    What a rule of `exclude` matches is left out without a word, a path that is named itself (`*` of the shell) too.
    """
    for given in paths:
        path = Path(given)
        if given == STANDARD:
            yield Local(None, Path(standard).name, None)
        elif _is_out(exclude, path.name, os.path.isdir(path)):
            continue
        elif not os.path.isdir(path):
            yield _local(path, path.name)
        elif not recursive:
            yield IsADirectoryError(0, "is a folder: --recursive sends what is in it", str(path))
        else:
            yield from _inside(path, exclude)


def _is_out(exclude: Sequence[Excluded], path: str, is_folder: bool) -> bool:
    return any(rule(path, is_folder) for rule in exclude)


def _inside(folder: Path, exclude: Sequence[Excluded]) -> Iterator[Local | Ignored | OSError]:
    errors: list[OSError] = []
    root = folder.resolve().name
    for at, folders, names in os.walk(folder, onerror=errors.append):
        inside = Path(at).relative_to(folder)
        folders[:] = sorted(name for name in folders if not _is_out(exclude, (inside / name).as_posix(), True))
        links = [name for name in folders if os.path.islink(os.path.join(at, name))]
        names = [name for name in names if not _is_out(exclude, (inside / name).as_posix(), False)]
        for name in sorted([*names, *links]):
            yield _member(Path(at, name), f"{root}/{(inside / name).as_posix()}")
    yield from errors


def _member(path: Path, label: str) -> Local | Ignored | OSError:
    try:
        kind = _NO_FILES.get(stat.S_IFMT(path.stat().st_mode))
    except OSError as error:
        return error
    if is_partial(path.name):
        kind = "an unfinished download"
    return Ignored(label, kind) if kind else _local(path, label)


def _local(path: Path, label: str) -> Local | OSError:
    try:
        found = path.stat()
    except OSError as error:
        return error
    return Local(path, label, found.st_size if stat.S_ISREG(found.st_mode) else None)


def is_same(path: Path, file: File) -> bool:
    """Whether what is at `path` has the bytes of `file`."""
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256


def sha256_of(path: Path) -> str:
    """In hexadecimal, as the server writes it."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
