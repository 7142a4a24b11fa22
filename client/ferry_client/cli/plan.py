"""Plan of a download: the files, and the path of each."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ferry_client.cli.output import Outcome
from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry, is_folder_target
from ferry_client.files import File
from ferry_client.local_names import UniqueNames, local_name, portable_path
from ferry_client.problems import NotFound

_NO_MATCH = "No file matches: none has a name that starts so."


@dataclass(frozen=True)
class PlannedDownload:
    """A file to download, and its target path."""

    file: File
    target: Path


def plan_downloads(ferry: Ferry, options: Namespace) -> tuple[list[PlannedDownload], list[Outcome]]:
    """Return the files that the options name, each with a path of its own, and an outcome for each unknown one."""
    requested = _read_manifest(options.manifest) if options.manifest else [(id, None) for id in options.id]
    files, unknown = ferry.statuses([id for id, _ in requested])
    by_id = {file.id: file for file in files}
    names = [(by_id[id], path or local_name(by_id[id])) for id, path in requested if id in by_id]
    if options.prefix is not None:
        names += [(file, local_name(file)) for file in ferry.list(status="COMPLETE", prefix=options.prefix)]
    failed = [Outcome("failed", id, error=NotFound("There is no such file.", status=404)) for id in unknown]
    if options.prefix is not None and not names:
        failed = [Outcome("failed", options.prefix, error=FerryError(_NO_MATCH, slug="no-match"))]
    return _assign_paths(options.to, names, is_single=len(options.id) == 1), failed


def _assign_paths(to: str, names: Sequence[tuple[File, str]], *, is_single: bool) -> list[PlannedDownload]:
    """Put each file into the folder `to`, or a single one at the path `to` unless that is a folder."""
    if is_single and not is_folder_target(to):
        return [PlannedDownload(file, Path(to)) for file, _ in names]
    unique = UniqueNames()
    return [PlannedDownload(file, Path(to) / unique.reserve(name)) for file, name in names]


def _read_manifest(path: Path) -> list[tuple[str, str | None]]:
    """Return the ids and paths in the output of `ferry upload --json`.

    Raises FerryError for a malformed line, and for a path outside the folder.
    """
    entries: list[tuple[str, str | None]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            item = json.loads(line)
            if item["outcome"] in ("failed", "ignored"):
                continue
            id, target = str(item["file"]["id"]), PurePath(item["path"])
        except (ValueError, KeyError, TypeError) as error:
            raise FerryError(f"Line {number} is not from `ferry upload --json`.", slug="no-manifest") from error
        if target.anchor or ".." in target.parts or not target.parts:
            raise FerryError(f"Line {number} leads out of the folder: {target}", slug="no-manifest")
        entries.append((id, portable_path(target)))
    return entries
