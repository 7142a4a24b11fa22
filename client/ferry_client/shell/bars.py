"""Progress bars: all bytes together, and each large file that is on its way. The only file that knows rich."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

from ferry_client.bodies import Progress
from ferry_client.shell.words import printable
from rich import progress
from rich.console import Console


class Bars:
    """Shown on stderr from the start of a `with` to its end."""

    def __init__(self, total: int | None, files: int, *, own_from: int) -> None:
        """Files of `own_from` bytes, or of unknown size, have a bar of their own.

        What stdout gets must stay there when it is no terminal: only where it is one is it moved above the bars.
        """
        columns = (
            progress.TextColumn("{task.description}", markup=False), progress.BarColumn(), progress.DownloadColumn(),
            progress.TransferSpeedColumn(), progress.TimeRemainingColumn(),
        )  # fmt: skip
        self._rich = progress.Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty(),
            refresh_per_second=5,
        )  # fmt: skip
        self._own_from = own_from
        self._files, self._ended, self._lock = files, 0, threading.Lock()
        self._all = self._rich.add_task(self._count(), total=total)

    def __enter__(self) -> Bars:
        self._rich.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._rich.stop()

    def ended(self) -> None:
        """One file more is done, or failed."""
        with self._lock:
            self._ended += 1
            self._rich.update(self._all, description=self._count())

    def of(self, name: str, size: int | None) -> Progress:
        """The progress of one file; a bar of its own is there until all of it has gone."""
        own = size is None or size >= self._own_from
        task = self._rich.add_task(printable(name)[-30:], total=size) if own else None
        before: int | None = None

        def moved(done: int, _total: int | None) -> None:
            nonlocal before
            with self._lock:
                if before is None:
                    self._start(task, done)
                else:
                    self._rich.advance(self._all, done - before)
                if task is not None:
                    self._rich.update(task, completed=done, visible=done != size)
                before = done

        return moved

    def _start(self, task: progress.TaskID | None, there: int) -> None:
        """Bytes that were there before are shown, but do not count in the speed: rich knows none of their samples."""
        for each in self._rich.tasks:
            if there and each.id in (self._all, task):
                each.completed += there

    def _count(self) -> str:
        return f"{self._ended} of {self._files} file{'s' * (self._files != 1)}"
