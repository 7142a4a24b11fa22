"""`ferry upload` and `ferry download`."""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePath
from typing import TypeVar

from ferry_client.bodies import Progress
from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry, local_name
from ferry_client.files import File
from ferry_client.problems import NotFound, ScopeMissing
from ferry_client.shell import folders
from ferry_client.shell.folders import Local
from ferry_client.shell.known import Known
from ferry_client.shell.pool import at_once
from ferry_client.shell.screen import Outcome, Screen
from ferry_client.shell.words import size, summary

Item = TypeVar("Item")
Bar = Callable[[str, int | None], Progress | None]


def upload(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """Send files; what the server has already of a folder is left out."""
    began = time.monotonic()
    found = list(folders.found(options.path, recursive=options.recursive))
    locals = [each for each in found if isinstance(each, Local)]
    failed = [Outcome("failed", str(each.filename), error=each) for each in found if isinstance(each, OSError)]
    known = _known(ferry, locals, options.expires_in, screen) if options.recursive else None

    def send(local: Local, progress: Progress | None) -> Outcome:
        if known and (there := known.take(local)):
            if progress:
                progress(local.size, local.size)
            return _outcome("skipped", there, local.label, 0)
        file = ferry.upload(local.path, mode=options.mode, expires_in=options.expires_in, on_progress=progress)
        return _outcome("sent", file, local.label, local.size)

    with screen.bars(sum(local.size for local in locals), len(locals)) as bar:
        ended = _each(options.jobs, locals, lambda local: (local.label, local.size), bar, send)
        return _shown(screen, "sent", began, failed, ended)


@dataclass(frozen=True)
class Wanted:
    """A file to fetch, and where to."""

    file: File
    to: Path


def download(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """Fetch files; what is there already is left out."""
    began = time.monotonic()
    wanted, failed = _wanted(ferry, options)

    def fetch(item: Wanted, progress: Progress | None) -> Outcome:
        there = item.to.exists()
        if there and folders.is_same(item.to, item.file):
            if progress:
                progress(item.file.size or 0, item.file.size)
            return _outcome("skipped", item.file, str(item.to), 0)
        if there and not options.force:
            raise FileExistsError(0, "is there already and differs: --force replaces it", str(item.to))
        item.to.parent.mkdir(parents=True, exist_ok=True)
        ferry.download(item.file, item.to, on_progress=progress)
        return _outcome("fetched", item.file, str(item.to), item.file.size or 0)

    with screen.bars(sum(item.file.size or 0 for item in wanted), len(wanted)) as bar:
        ended = _each(options.jobs, wanted, lambda item: (str(item.to), item.file.size), bar, fetch)
        return _shown(screen, "fetched", began, failed, ended)


def _known(ferry: Ferry, locals: Sequence[Local], expires_in: int | None, screen: Screen) -> Known | None:
    try:
        return Known(ferry, locals, expires_in)
    except ScopeMissing:
        screen.complain("the key may not read: what is there already is sent again")
        return None


def _outcome(what: str, file: File, path: str, bytes: int) -> Outcome:
    return Outcome(what, path, f"{what}  {file.id}  {size(file.size or 0)}  {path}", bytes, file.as_json())


def _wanted(ferry: Ferry, options: Namespace) -> tuple[list[Wanted], list[Outcome]]:
    """What the options name; no two files of one command go to the same place."""
    named = _manifest(options.manifest) if options.manifest else [(id, None) for id in options.id]
    taken: set[Path] = set()
    files, unknown = ferry.statuses([id for id, _ in named])
    found = {file.id: file for file in files}
    places = [(found[id], path or local_name(found[id])) for id, path in named if id in found]
    if options.prefix is not None:
        places += [(file, local_name(file)) for file in ferry.list(status="COMPLETE", prefix=options.prefix)]
    alone = len(options.id) == 1
    wanted = [Wanted(file, _place(options.to, name, taken, alone=alone)) for file, name in places]
    return wanted, [Outcome("failed", id, error=NotFound("There is no such file.", status=404)) for id in unknown]


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
            if item["outcome"] == "failed":
                continue
            id, place = str(item["file"]["id"]), PurePath(item["path"])
        except (ValueError, KeyError, TypeError) as error:
            raise FerryError(f"Line {number} is none of `ferry upload --json`.", slug="no-manifest") from error
        if place.anchor or ".." in place.parts:
            raise FerryError(f"Line {number} leads out of the folder: {place}", slug="no-manifest")
        found.append((id, str(place)))
    return found


def _each(
    jobs: int, items: Sequence[Item], describe: Callable[[Item], tuple[str, int | None]], bar: Bar,
    call: Callable[[Item, Progress | None], Outcome],
) -> Iterator[Outcome]:  # fmt: skip
    """The outcome of every item. What fails with one is that one's outcome."""

    def run(item: Item) -> Outcome:
        name, total = describe(item)
        try:
            return call(item, bar(name, total))
        except (FerryError, OSError) as error:
            return Outcome("failed", name, error=error)

    return at_once(jobs, items, run)


def _shown(screen: Screen, done: str, began: float, failed: Sequence[Outcome], ended: Iterator[Outcome]) -> int:
    """Show all and sum up, even after Ctrl-C. Returns the exit code."""
    counts, bytes = Counter({done: 0, "skipped": 0, "failed": 0}), 0
    try:
        for outcome in chain(failed, ended):
            counts[outcome.what] += 1
            bytes += outcome.bytes
            screen.show(outcome)
    finally:
        screen.note(summary(dict(counts), bytes, time.monotonic() - began))
    return 1 if counts["failed"] else 0
