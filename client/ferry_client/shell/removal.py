"""`ferry rm`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ferry_client.ferry import Ferry
from ferry_client.files import File
from ferry_client.problems import NotFound
from ferry_client.shell.screen import Outcome, Screen
from ferry_client.shell.standard import is_typed
from ferry_client.shell.transfers import shown
from ferry_client.shell.words import counted, forecast, size

_BATCH = 100
"""Ids a request. Each batch is reported before the next: after Ctrl-C it is known what is gone."""


@dataclass(frozen=True)
class Doomed:
    """A file to delete; `file` is None if only its id is known."""

    id: str
    file: File | None = None


def mistake(options: Namespace) -> str | None:
    """What is wrong with the options, if anything."""
    if options.prefix == "":
        return "--prefix '' would delete every file: say which"
    if options.prefix and not (options.yes or options.dry_run or is_typed()):
        return "rm --prefix asks before it deletes: without a terminal it needs --yes"
    return None


def rm(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """Delete files, by ids or all of a prefix."""
    items, unknown = _doomed(ferry, options)
    if options.dry_run:
        foreseen = [_outcome("would delete", item, item.file.size or 0) for item in items if item.file]
        return shown(screen, "would delete", [_failed(id) for id in unknown], iter(foreseen), len(items), forecast)
    if options.prefix and items and not (options.yes or _agreed(items, options.prefix)):
        screen.complain("nothing was deleted")
        return 1
    ended = _deleted(ferry, items, listed=bool(options.prefix))
    return shown(screen, "deleted", [], ended, len(items), lambda counts, _: counted(counts))


def _doomed(ferry: Ferry, options: Namespace) -> tuple[Sequence[Doomed], Sequence[str]]:
    """What the options name, and the ids that are unknown already. Ids are looked up only for a dry run."""
    if options.prefix:
        return [Doomed(file.id, file) for file in ferry.list(prefix=options.prefix)], []
    ids = list(dict.fromkeys(options.id))
    if not options.dry_run:
        return [Doomed(id) for id in ids], []
    files, unknown = ferry.statuses(ids)
    return [Doomed(file.id, file) for file in files], unknown


def _deleted(ferry: Ferry, items: Sequence[Doomed], *, listed: bool) -> Iterator[Outcome]:
    """The outcome of each. One that was listed a moment ago and is unknown now was deleted by another: no failure."""
    for start in range(0, len(items), _BATCH):
        batch = {item.id: item for item in items[start : start + _BATCH]}
        gone, unknown = ferry.delete_all(list(batch))
        yield from (_outcome("deleted", batch[id]) for id in gone)
        yield from (_outcome("skipped", batch[id]) if listed else _failed(id) for id in unknown)


def _outcome(what: str, item: Doomed, bytes: int = 0) -> Outcome:
    known = f"  {size(item.file.size or 0)}  {item.file.name}" if item.file else ""
    return Outcome(what, item.id, f"{what}  {item.id}{known}", bytes, item.file.as_json() if item.file else None)


def _failed(id: str) -> Outcome:
    return Outcome("failed", id, error=NotFound("There is no such file.", status=404))


def _agreed(items: Sequence[Doomed], prefix: str) -> bool:
    bytes = sum(item.file.size or 0 for item in items if item.file)
    files = f"{len(items)} file{'s' * (len(items) != 1)}"
    sys.stderr.write(f"Delete {files} ({size(bytes)}) whose names start with {prefix!r}? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:  # Ctrl-D, which moves no terminal to its next line.
        sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")
