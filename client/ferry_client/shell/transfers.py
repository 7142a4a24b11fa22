"""What uploads and downloads share: files at once, an outcome for each, and the summary."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from ferry_client.bodies import Progress
from ferry_client.errors import FerryError, WrongAddress
from ferry_client.files import File
from ferry_client.shell.pool import at_once
from ferry_client.shell.screen import Outcome, Progresses, Screen
from ferry_client.shell.words import size, summary

Item = TypeVar("Item")
LastLine = Callable[[dict[str, int], int], str]
"""Made from how many files had which outcome, and the bytes of all of them."""

_ENOUGH_EACH = 32 << 10
"""Bytes per second. Ferry gives up a body that brings fewer than its MIN_UPLOAD_RATE, 10 kB a second as it comes."""


class Moved:
    """A progress that counts the bytes which go over the line now: not those that an earlier download left."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self.bytes = progress, 0
        self._before: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        self.bytes += 0 if self._before is None else max(done - self._before, 0)
        self._before = done
        if self._progress:
            self._progress(done, total)


def jobs_within(jobs: int, limit_rate: float | None) -> int:
    """How many files go at once: so few that each of them is fast enough for the server."""
    return jobs if limit_rate is None else max(1, min(jobs, int(limit_rate // _ENOUGH_EACH)))


def took(began: float) -> LastLine:
    """The last line of a transfer that began at this time.monotonic()."""
    return lambda counts, bytes: summary(counts, bytes, time.monotonic() - began)


def outcome(what: str, file: File, path: str, bytes: int) -> Outcome:
    """That of a file which the server has, and of which so many bytes went over the line."""
    return Outcome(what, path, f"{what}  {file.id}  {size(file.size or 0)}  {path}", bytes, file.as_json())


def each(
    jobs: int, items: Sequence[Item], describe: Callable[[Item], tuple[str, int | None]], bars: Progresses,
    call: Callable[[Item, Progress | None], Outcome],
) -> Iterator[Outcome]:  # fmt: skip
    """The outcome of every item. What fails with one is that one's outcome."""

    def run(item: Item) -> Outcome:
        name, total = describe(item)
        try:
            return call(item, bars.of(name, total))
        except WrongAddress:  # No other file would get there either.
            raise
        except BrokenPipeError:  # Who reads our output has seen enough: there is nothing to tell anybody.
            raise
        except (FerryError, OSError) as error:
            return Outcome("failed", name, error=error)
        finally:
            bars.ended()

    return at_once(jobs, items, run)


def shown(
    screen: Screen, done: str, before: Sequence[Outcome], ended: Iterator[Outcome], number: int, last: LastLine,
    again: str = "Run it again.",
) -> int:  # fmt: skip
    """Show the outcomes of `number` files as they end, and sum up. Returns the exit code.

    Ctrl-C gets its summary too, and `again`: how to go on with the files that have not ended.
    """
    counts, bytes = Counter({done: 0, "skipped": 0, "failed": 0}), 0
    left, interrupted = number + len(before), ""
    try:
        for outcome in chain(before, ended):
            left -= 1
            counts[outcome.what] += 1
            bytes += outcome.bytes
            screen.show(outcome)
    except KeyboardInterrupt:
        interrupted = f"interrupted: {left} of {number + len(before)} files not finished. {again}"
        raise
    finally:
        screen.summary(last(dict(counts) | ({"not finished": left} if left else {}), bytes))
        if interrupted:
            screen.complain(interrupted)
    return 1 if counts["failed"] else 0
