"""Which files a download means, and where each of them goes."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry, means_folder
from ferry_client.files import File
from ferry_client.local_names import Places, local_name, portable_path
from ferry_client.problems import NotFound
from ferry_client.shell.screen import Outcome

_NO_MATCH = "No file matches: none has a name that starts so."


@dataclass(frozen=True)
class Wanted:
    """A file to fetch, and where to."""

    file: File
    to: Path


def wanted(ferry: Ferry, options: Namespace) -> tuple[list[Wanted], list[Outcome]]:
    """What the options name; no two files of one command go to the same place."""
    named = _manifest(options.manifest) if options.manifest else [(id, None) for id in options.id]
    files, unknown = ferry.statuses([id for id, _ in named])
    found = {file.id: file for file in files}
    places = [(found[id], path or local_name(found[id])) for id, path in named if id in found]
    if options.prefix is not None:
        places += [(file, local_name(file)) for file in ferry.list(status="COMPLETE", prefix=options.prefix)]
    failed = [Outcome("failed", id, error=NotFound("There is no such file.", status=404)) for id in unknown]
    if options.prefix is not None and not places:
        failed = [Outcome("failed", options.prefix, error=FerryError(_NO_MATCH, slug="no-match"))]
    return _placed(options.to, places, alone=len(options.id) == 1), failed


def _placed(to: str, named: Sequence[tuple[File, str]], *, alone: bool) -> list[Wanted]:
    """Each file in the folder `to`; one that was asked for `alone` at the path `to`, unless that means a folder."""
    if alone and not means_folder(to):
        return [Wanted(file, Path(to)) for file, _ in named]
    places = Places()
    return [Wanted(file, Path(to) / places.free(name)) for file, name in named]


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
        if place.anchor or ".." in place.parts or not place.parts:
            raise FerryError(f"Line {number} leads out of the folder: {place}", slug="no-manifest")
        found.append((id, portable_path(place)))
    return found
