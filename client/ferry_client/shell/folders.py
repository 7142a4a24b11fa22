"""Which local files a command means, and which of them the server has already."""

from __future__ import annotations

import hashlib
import os
import threading
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferry_client.bodies import PIECE
from ferry_client.ferry import Ferry
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


class Known:
    """What the server has COMPLETE of these files. Each of its files stands for one of ours: twins are both sent."""

    def __init__(self, ferry: Ferry, locals: Sequence[Local]) -> None:
        """Asks for all files of the server, or name by name where that is less."""
        self._files: dict[tuple[str, int], list[File]] = defaultdict(list)
        self._lock = threading.Lock()
        names = {shown_name(local.path.name) for local in locals}
        for file in _listed(ferry, names):
            if file.name in names and file.size is not None and file.sha256:
                self._files[file.name, file.size].append(file)

    def take(self, local: Local) -> File | None:
        """The server's file that is this one, by name, size and bytes. It is read only if name and size fit."""
        candidates = self._files.get((shown_name(local.path.name), local.size))
        if not candidates:
            return None
        digest = _sha256(local.path)
        with self._lock:
            same = next((file for file in candidates if file.sha256 == digest), None)
            if same:
                candidates.remove(same)
        return same


def _listed(ferry: Ferry, names: set[str]) -> Iterator[File]:
    most = 100 * max(len(names), 10)
    for number, file in enumerate(ferry.list(status="COMPLETE")):
        if number == most:
            break
        yield file
    else:
        return
    for name in sorted(names):
        yield from ferry.list(status="COMPLETE", prefix=name)


def shown_name(name: str) -> str:
    """A name as the server shows it (but for controls, which it drops: such a file is sent again, no more)."""
    return unicodedata.normalize("NFC", name.encode(errors="replace").decode()).strip()


def is_same(path: Path, file: File) -> bool:
    """Whether what is at `path` has the bytes of `file`."""
    return path.is_file() and path.stat().st_size == file.size and _sha256(path) == file.sha256


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
