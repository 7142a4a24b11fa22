"""`ferry rm`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ferry_client.cli.formatting import format_counts, format_dry_run, format_size
from ferry_client.cli.output import Outcome, Output
from ferry_client.cli.stdio import stdin_is_terminal
from ferry_client.cli.transfers import Report
from ferry_client.ferry import Ferry
from ferry_client.files import File
from ferry_client.problems import NotFound

_BATCH = 100
"""Ids per request. Each batch is reported before the next, so that Ctrl-C leaves a record of what was deleted."""


@dataclass(frozen=True)
class Target:
    """A file to delete."""

    id: str
    file: File | None = None
    """None if only the id is known."""


def validate(options: Namespace) -> str | None:
    """Return an error message for invalid options, or None."""
    if options.prefix == "":
        return "--prefix '' would delete every file: say which"
    if options.prefix and not (options.yes or options.dry_run or stdin_is_terminal()):
        return "rm --prefix asks before it deletes: without a terminal it needs --yes"
    return None


def rm(ferry: Ferry, options: Namespace, output: Output) -> int:
    """Delete files by id, or all of a prefix."""
    targets, unknown = _find_targets(ferry, options)
    if options.dry_run:
        failed = [_not_found(id) for id in unknown]
        planned = [_outcome("would delete", target, target.file.size or 0) for target in targets if target.file]
        return Report("would delete", format_dry_run).write(output, failed, iter(planned), len(targets))
    if options.prefix and targets and not (options.yes or _confirm(targets, options.prefix)):
        output.error("nothing was deleted")
        return 1
    outcomes = _delete(ferry, targets, listed=bool(options.prefix))
    return Report("deleted", lambda counts, _: format_counts(counts)).write(output, [], outcomes, len(targets))


def _find_targets(ferry: Ferry, options: Namespace) -> tuple[Sequence[Target], Sequence[str]]:
    """Return the files that the options name, and the unknown ids. Ids are looked up only for a dry run."""
    if options.prefix:
        return [Target(file.id, file) for file in ferry.list(prefix=options.prefix)], []
    ids = list(dict.fromkeys(options.id))
    if not options.dry_run:
        return [Target(id) for id in ids], []
    files, unknown = ferry.statuses(ids)
    return [Target(file.id, file) for file in files], unknown


def _delete(ferry: Ferry, targets: Sequence[Target], *, listed: bool) -> Iterator[Outcome]:
    """Yield the outcome of each file. A `listed` file that is unknown now was deleted in between: not a failure."""
    for start in range(0, len(targets), _BATCH):
        batch = {target.id: target for target in targets[start : start + _BATCH]}
        deleted, unknown = ferry.delete_many(list(batch))
        yield from (_outcome("deleted", batch[id]) for id in deleted)
        yield from (_outcome("skipped", batch[id]) if listed else _not_found(id) for id in unknown)


def _outcome(result: str, target: Target, bytes: int = 0) -> Outcome:
    file = target.file
    details = f"  {format_size(file.size or 0)}  {file.name}" if file else ""
    return Outcome(result, target.id, f"{result}  {target.id}{details}", bytes, file.to_json() if file else None)


def _not_found(id: str) -> Outcome:
    return Outcome("failed", id, error=NotFound("There is no such file.", status=404))


def _confirm(targets: Sequence[Target], prefix: str) -> bool:
    bytes = sum(target.file.size or 0 for target in targets if target.file)
    files = f"{len(targets)} file{'s' * (len(targets) != 1)}"
    sys.stderr.write(f"Delete {files} ({format_size(bytes)}) whose names start with {prefix!r}? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:  # Ctrl-D leaves the cursor on the line.
        sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")
