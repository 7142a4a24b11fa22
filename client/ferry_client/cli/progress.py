"""Progress bars: one for all bytes, and one for each large file in transfer. The only module that imports rich."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType

from ferry_client.cli.formatting import printable
from ferry_client.request_body import ProgressCallback
from rich import progress
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text


class _Progress(progress.Progress):
    """Bars that leave two columns for the `^C` that a terminal echoes.

    After a bar of full width it would wrap to the next row, the only one that is then erased.
    """

    def get_renderables(self) -> Iterator[RenderableType]:
        """Return the bars, two columns narrower than the terminal."""
        return map(_Narrower, super().get_renderables())


class _Narrower:
    def __init__(self, bars: RenderableType) -> None:
        self._bars = bars

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return console.render(self._bars, options.update_width(max(1, options.max_width - len("^C"))))


class ProgressBars:
    """Bars on stderr for the length of a `with` block."""

    def __init__(self, total: int | None, files: int, *, own_bar_from: int) -> None:
        """Files of `own_bar_from` bytes and more, or of unknown size, get a bar of their own."""
        columns = (
            progress.TextColumn("{task.description}", markup=False), progress.BarColumn(), progress.DownloadColumn(),
            progress.TransferSpeedColumn(), progress.TimeRemainingColumn(),
        )  # fmt: skip
        self._rich = _Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False,
            refresh_per_second=5,
        )  # fmt: skip
        self._own_bar_from = own_bar_from
        self._files, self._finished, self._lock = files, 0, threading.Lock()
        self._total = self._rich.add_task(self._description(), total=total)

    def __enter__(self) -> ProgressBars:
        self._rich.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._rich.stop()

    def print_above(self, line: str) -> None:
        """Print a line above the bars. The terminal wraps it, so that a copied line has no line ends inside."""
        self._rich.console.print(Text(line), soft_wrap=True)

    def finish_file(self) -> None:
        """Count a file as finished or failed."""
        with self._lock:
            self._finished += 1
            self._rich.update(self._total, description=self._description())

    def track(self, name: str, size: int | None) -> ProgressCallback:
        """Return the progress callback of one file. Its own bar disappears at 100 %."""
        has_bar = size is None or size >= self._own_bar_from
        task = self._rich.add_task(printable(name)[-30:], total=size) if has_bar else None
        previous: int | None = None

        def on_progress(done: int, _total: int | None) -> None:
            nonlocal previous
            with self._lock:
                if previous is None:
                    self._set_initial(task, done)
                else:
                    self._rich.advance(self._total, done - previous)
                if task is not None:
                    self._rich.update(task, completed=done, visible=done != size)
                previous = done

        return on_progress

    def _set_initial(self, task: progress.TaskID | None, done: int) -> None:
        """Show the bytes of a partial download without counting them in the speed: rich gets no sample of them."""
        for shown in self._rich.tasks:
            if done and shown.id in (self._total, task):
                shown.completed += done

    def _description(self) -> str:
        return f"{self._finished} of {self._files} file{'s' * (self._files != 1)}"
