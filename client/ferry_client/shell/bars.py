"""Progress bars: all bytes together, and each large file that is on its way. The only file that knows rich."""

from __future__ import annotations

import sys
from types import TracebackType

from ferry_client.bodies import Progress
from rich import progress
from rich.console import Console


class Bars:
    """Shown on stderr from the start of a `with` to its end."""

    def __init__(self, total: int | None, files: int) -> None:
        """What stdout gets must stay there when it is no terminal: only where it is one is it moved above the bars."""
        columns = (
            progress.TextColumn("{task.description}", markup=False), progress.BarColumn(), progress.DownloadColumn(),
            progress.TransferSpeedColumn(), progress.TimeRemainingColumn(),
        )  # fmt: skip
        self._rich = progress.Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty(),
            refresh_per_second=5,
        )  # fmt: skip
        self._all = self._rich.add_task(f"{files} file{'s' * (files != 1)}", total=total)

    def __enter__(self) -> Bars:
        self._rich.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._rich.stop()

    def of(self, name: str, size: int | None, *, own: bool) -> Progress:
        """The progress of one file; with a bar of its `own` until all of it has gone."""
        task = self._rich.add_task(name[-30:], total=size) if own else None
        before = 0

        def moved(done: int, _total: int | None) -> None:
            nonlocal before
            self._rich.advance(self._all, done - before)
            before = done
            if task is not None:
                self._rich.update(task, completed=done, visible=done != size)

        return moved
