"""What uploads and downloads share: files at once, an outcome for each, and the summary."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from ferry_client.bodies import Progress
from ferry_client.errors import FerryError
from ferry_client.files import File
from ferry_client.shell.pool import at_once
from ferry_client.shell.screen import Outcome, Screen
from ferry_client.shell.words import size, summary

Item = TypeVar("Item")
Bar = Callable[[str, int | None], Progress | None]


def outcome(what: str, file: File, path: str, bytes: int) -> Outcome:
    """That of a file which the server has, and of which so many bytes went over the line."""
    return Outcome(what, path, f"{what}  {file.id}  {size(file.size or 0)}  {path}", bytes, file.as_json())


def each(
    jobs: int, items: Sequence[Item], describe: Callable[[Item], tuple[str, int | None]], bar: Bar,
    call: Callable[[Item, Progress | None], Outcome],
) -> Iterator[Outcome]:  # fmt: skip
    """The outcome of every item. What fails with one is that one's outcome."""

    def run(item: Item) -> Outcome:
        name, total = describe(item)
        try:
            return call(item, bar(name, total))
        except BrokenPipeError:  # Who reads our output has seen enough: there is nothing to tell anybody.
            raise
        except (FerryError, OSError) as error:
            return Outcome("failed", name, error=error)

    return at_once(jobs, items, run)


def shown(screen: Screen, done: str, began: float, before: Sequence[Outcome], ended: Iterator[Outcome]) -> int:
    """Show all and sum up, even after Ctrl-C. Returns the exit code."""
    counts, bytes = Counter({done: 0, "skipped": 0, "failed": 0}), 0
    try:
        for outcome in chain(before, ended):
            counts[outcome.what] += 1
            bytes += outcome.bytes
            screen.show(outcome)
    finally:
        screen.note(summary(dict(counts), bytes, time.monotonic() - began))
    return 1 if counts["failed"] else 0
