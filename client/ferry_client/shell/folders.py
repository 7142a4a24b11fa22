"""Which local files a command means, and what their bytes are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferry_client.bodies import PIECE
from ferry_client.files import File


@dataclass(frozen=True)
class Local:
    """A file to send. `label` is its path as the user means it: with the name of the folder that was asked for."""

    path: Path
    label: str
    size: int


def found(paths: Sequence[str], *, recursive: bool) -> Iterator[Local | OSError]:
    """The files of all paths; an error for each that is none. Folders that are links are not gone into: circles."""
    for path in map(Path, paths):
        if not path.is_dir():
            yield _local(path, path.name)
        elif not recursive:
            yield IsADirectoryError(0, "is a folder: --recursive sends what is in it", str(path))
        else:
            yield from _inside(path)


def _inside(folder: Path) -> Iterator[Local | OSError]:
    errors: list[OSError] = []
    root = folder.resolve().name
    for at, folders, names in os.walk(folder, onerror=errors.append):
        folders.sort()
        for name in sorted(names):
            path = Path(at, name)
            if path.is_file() or not path.exists():
                yield _local(path, f"{root}/{path.relative_to(folder).as_posix()}")
    yield from errors


def _local(path: Path, label: str) -> Local | OSError:
    try:
        return Local(path, label, path.stat().st_size)
    except OSError as error:
        return error


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
