"""Shared by uploads, downloads and deletions: parallel transfers, the outcome of each file, the summary."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from ferry_client.cli.formatting import format_size, format_summary
from ferry_client.cli.output import Outcome, Output, ProgressDisplay
from ferry_client.cli.thread_pool import map_unordered
from ferry_client.errors import FerryError, WrongAddress
from ferry_client.files import File
from ferry_client.request_body import ProgressCallback

Item = TypeVar("Item")
SummaryFormat = Callable[[dict[str, int], int], str]
"""Formats the number of files by result, and the bytes of all of them."""

_MIN_RATE_EACH = 32 << 10
"""Bytes per second of each parallel transfer. Ferry times out a body below its MIN_UPLOAD_RATE, 10 kB/s by default."""


class ByteCounter:
    """A progress callback that counts the bytes transferred now, without those of an earlier partial download."""

    def __init__(self, on_progress: ProgressCallback | None) -> None:
        self._on_progress, self.bytes = on_progress, 0
        self._previous: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        self.bytes += 0 if self._previous is None else max(done - self._previous, 0)
        self._previous = done
        if self._on_progress:
            self._on_progress(done, total)


@dataclass(frozen=True)
class Report:
    """How the results of a command are summed up."""

    done: str
    """The result that counts first: `sent`, `fetched`, `deleted`, `would upload` …"""
    summary: SummaryFormat
    resume_hint: str = "Run it again."
    """After Ctrl-C: how to continue with the unfinished files."""

    def write(self, output: Output, failed: Sequence[Outcome], outcomes: Iterator[Outcome], total: int) -> int:
        """Show `failed` and the `total` outcomes as they come, then the summary. Returns the exit code.

        Ctrl-C gets its summary too.
        """
        counts, bytes = Counter({self.done: 0, "skipped": 0, "failed": 0}), 0
        total += len(failed)
        remaining, interrupted = total, ""
        try:
            for outcome in chain(failed, outcomes):
                remaining -= 1
                counts[outcome.result] += 1
                bytes += outcome.bytes
                output.show(outcome)
        except KeyboardInterrupt:
            interrupted = f"interrupted: {remaining} of {total} files not finished. {self.resume_hint}"
            raise
        finally:
            unfinished = {"not finished": remaining} if remaining else {}
            output.summary(self.summary(dict(counts) | unfinished, bytes))
            if interrupted:
                output.error(interrupted)
        return 1 if counts["failed"] else 0


def limit_jobs(jobs: int, limit_rate: float | None) -> int:
    """Reduce the number of parallel transfers so that each one is fast enough for the server."""
    return jobs if limit_rate is None else max(1, min(jobs, int(limit_rate // _MIN_RATE_EACH)))


def summary_since(started: float) -> SummaryFormat:
    """Return the summary format of a transfer that started at this time.monotonic()."""
    return lambda counts, bytes: format_summary(counts, bytes, time.monotonic() - started)


def file_outcome(result: str, file: File, path: str, bytes: int) -> Outcome:
    """Return the outcome of a stored file, of which `bytes` were transferred."""
    return Outcome(result, path, f"{result}  {file.id}  {format_size(file.size or 0)}  {path}", bytes, file.to_json())


def run_all(
    jobs: int, items: Sequence[Item], describe: Callable[[Item], tuple[str, int | None]], progress: ProgressDisplay,
    call: Callable[[Item, ProgressCallback | None], Outcome],
) -> Iterator[Outcome]:  # fmt: skip
    """Yield the outcome of `call` for every item; an error becomes the item's outcome.

    `describe` returns the name and size of an item.
    """

    def run(item: Item) -> Outcome:
        name, size = describe(item)
        try:
            return call(item, progress.track(name, size))
        except WrongAddress:  # The other files would fail alike.
            raise
        except BrokenPipeError:  # The reader of stdout has left, as `head` does: not an error.
            raise
        except (FerryError, OSError) as error:
            return Outcome("failed", name, error=error)
        finally:
            progress.finish_file()

    return map_unordered(jobs, items, run)
