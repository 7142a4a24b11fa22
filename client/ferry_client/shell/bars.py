"""Progress bars: all bytes together, and each large file that is on its way. The only file that knows rich."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType

from ferry_client.bodies import Progress
from ferry_client.shell.words import printable
from rich import progress
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text


class _Progress(progress.Progress):
    """Bars that leave room for the `^C` which a terminal echoes.

    Behind a bar of all columns it would stand in the next row, and only that row is erased then.
    """

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bars, in two columns less than the terminal has."""
        return map(_Narrower, super().get_renderables())


class _Narrower:
    def __init__(self, bars: RenderableType) -> None:
        self._bars = bars

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return console.render(self._bars, options.update_width(max(1, options.max_width - len("^C"))))


class Bars:
    """Shown on stderr from the start of a `with` to its end."""

    def __init__(self, total: int | None, files: int, *, own_from: int) -> None:
        """Files of `own_from` bytes, or of unknown size, have a bar of their own."""
        columns = (
            progress.TextColumn("{task.description}", markup=False), progress.BarColumn(), progress.DownloadColumn(),
            progress.TransferSpeedColumn(), progress.TimeRemainingColumn(),
        )  # fmt: skip
        self._rich = _Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False,
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

    def above(self, line: str) -> None:
        """Print a line above the bars. The terminal wraps it, so that a copy of it has no line ends inside."""
        self._rich.console.print(Text(line), soft_wrap=True)

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
