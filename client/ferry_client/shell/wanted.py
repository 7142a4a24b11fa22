"""Which files a download means, and where each of them goes."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path, PurePath

from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry, local_name
from ferry_client.files import File
from ferry_client.problems import NotFound
from ferry_client.shell.screen import Outcome


@dataclass(frozen=True)
class Wanted:
    """A file to fetch, and where to."""

    file: File
    to: Path


def wanted(ferry: Ferry, options: Namespace) -> tuple[list[Wanted], list[Outcome]]:
    """What the options name; no two files of one command go to the same place."""
    named = _manifest(options.manifest) if options.manifest else [(id, None) for id in options.id]
    taken: set[Path] = set()
    files, unknown = ferry.statuses([id for id, _ in named])
    found = {file.id: file for file in files}
    places = [(found[id], path or local_name(found[id])) for id, path in named if id in found]
    if options.prefix is not None:
        places += [(file, local_name(file)) for file in ferry.list(status="COMPLETE", prefix=options.prefix)]
    alone = len(options.id) == 1
    items = [Wanted(file, _place(Path(options.to), name, taken, alone=alone)) for file, name in places]
    return items, [Outcome("failed", id, error=NotFound("There is no such file.", status=404)) for id in unknown]


def _place(to: Path, name: str, taken: set[Path], *, alone: bool) -> Path:
    if alone and not to.is_dir():
        return to
    path, number = to / name, 1
    while path in taken:
        number += 1
        path = _numbered(to / name, number)
    taken.add(path)
    return path


def _numbered(path: Path, number: int) -> Path:
    """`name (2).ext`, in as many bytes as a file's name may have."""
    stem, extension = (path.stem, path.suffix) if len(path.suffix) <= 16 else (path.name, "")
    end = f" ({number}){extension}"
    return path.with_name(os.fsencode(stem)[: 255 - len(end.encode())].decode(errors="ignore") + end)


def _manifest(path: Path) -> list[tuple[str, str | None]]:
    """The ids and paths of what `ferry upload --json` has printed. Raises FerryError for a path that leads out."""
    found: list[tuple[str, str | None]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            item = json.loads(line)
            if item["outcome"] in ("failed", "ignored"):
                continue
            id, place = str(item["file"]["id"]), PurePath(item["path"])
        except (ValueError, KeyError, TypeError) as error:
            raise FerryError(f"Line {number} is none of `ferry upload --json`.", slug="no-manifest") from error
        if place.anchor or ".." in place.parts:
            raise FerryError(f"Line {number} leads out of the folder: {place}", slug="no-manifest")
        found.append((id, str(place)))
    return found
