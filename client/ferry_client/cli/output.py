"""Output of the command: results as lines or JSON on stdout; progress bars, summary and errors on stderr."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from ferry_client.cli.formatting import printable
from ferry_client.cli.hints import with_hint
from ferry_client.errors import FerryError
from ferry_client.request_body import ProgressCallback

_OWN_BAR_BYTES = 8 << 20
"""Size from which a file has a bar of its own: smaller ones finish before their names can be read."""


@dataclass(frozen=True)
class Outcome:
    """The result for one file."""

    result: str
    """`failed`, `ignored`, `skipped`, or what the command does: `sent`, `fetched`, `deleted`, `would upload` …"""
    path: str
    line: str = ""
    """For stdout."""
    bytes: int = 0
    """Transferred bytes."""
    file: dict[str, Any] | None = None
    error: FerryError | OSError | None = None
    """For stderr."""
    reason: str = ""
    """Why it was ignored; for stderr."""

    def to_json(self) -> dict[str, Any]:
        members: dict[str, Any] = {"outcome": self.result, "path": self.path}
        if isinstance(self.error, FerryError):
            problem = {"slug": self.error.slug, "status": self.error.status, "detail": self.error.detail}
            members["problem"] = self.error.fields | problem
        elif self.error:
            members["problem"] = {"slug": "os-error", "detail": message(self.error)}
        members |= {"reason": self.reason} if self.reason else {}
        return members | ({"file": self.file} if self.file else {})


class ProgressDisplay(Protocol):
    """Shows the progress of all files, and of each."""

    def track(self, name: str, size: int | None) -> ProgressCallback | None:
        """Return the progress callback of a file that starts."""

    def finish_file(self) -> None:
        """Count a file as finished or failed."""


class Output:
    """Writes results and messages. `as_json`: results as JSON lines. `quiet`: only errors, and JSON if it is on."""

    def __init__(self, *, as_json: bool, results_to_stderr: bool = False, quiet: bool = False) -> None:
        self._as_json, self._results_to_stderr, self._quiet = as_json, results_to_stderr, quiet
        self._print_above: Callable[[str], None] | None = None

    def to_stderr(self) -> Output:
        """Return an Output that writes results to stderr too, because stdout takes the bytes of a file."""
        return Output(as_json=self._as_json, results_to_stderr=True, quiet=self._quiet)

    def show(self, outcome: Outcome) -> None:
        """Write the result of one file."""
        if self._as_json:
            self.json(outcome.to_json())
        elif outcome.line and not self._quiet:
            self.line(outcome.line)
        if outcome.error:
            self.error(f"{outcome.path}: {message(outcome.error)}")
        elif outcome.reason and not self._quiet:
            self.error(f"{outcome.path}: {outcome.result}: {outcome.reason}")

    def json(self, value: dict[str, Any]) -> None:
        self._write(self._results, json.dumps(value))

    def line(self, text: str) -> None:
        self._write(self._results, printable(text))

    def note(self, text: str) -> None:
        """Write a line to stderr."""
        if sys.stderr:
            self._write(sys.stderr, printable(text))

    def summary(self, text: str) -> None:
        """Write the last line."""
        if not self._quiet:
            self.note(text)

    def error(self, text: str) -> None:
        self.note(f"ferry: {text}")

    @property
    def width(self) -> int | None:
        """Columns of the terminal that shows the results, or None if they go elsewhere. COLUMNS overrides it."""
        results = self._results
        return shutil.get_terminal_size().columns if results and results.isatty() else None

    @property
    def _results(self) -> TextIO | None:
        """None if the shell has closed it (`>&-`)."""
        return sys.stderr if self._results_to_stderr else sys.stdout

    def _write(self, stream: TextIO | None, line: str) -> None:
        if stream is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        encoding = stream.encoding or "utf-8"  # Not every terminal can show every name.
        line = line.encode(encoding, "replace").decode(encoding)
        if self._print_above and stream.isatty():
            self._print_above(line)
        else:
            stream.write(f"{line}\n")
            stream.flush()

    @contextmanager
    def progress(self, sizes: Sequence[int | None], *, reads_terminal: bool = False) -> Iterator[ProgressDisplay]:
        """Show bars for files of these sizes, if stderr is a terminal that does not also carry the bytes of a file.

        `reads_terminal`: a file is typed into the terminal.
        """
        shows_bytes = reads_terminal or (self._results_to_stderr and sys.stdout and sys.stdout.isatty())
        if self._quiet or shows_bytes or not (sys.stderr and sys.stderr.isatty()):
            yield _NoProgress()
            return
        from ferry_client.cli.progress import ProgressBars  # Importing rich takes longer than sending a small file.

        known = [size for size in sizes if size is not None]
        total = sum(known) if len(known) == len(sizes) else None
        with ProgressBars(total, len(sizes), own_bar_from=_OWN_BAR_BYTES) as bars:
            self._print_above = bars.print_above
            try:
                yield bars
            finally:
                self._print_above = None


class _NoProgress:
    def track(self, _name: str, _size: int | None) -> None:
        return None

    def finish_file(self) -> None:
        pass


def message(error: FerryError | OSError) -> str:
    """Return an error in one line."""
    text = with_hint(error) if isinstance(error, FerryError) else error.strerror or str(error)
    return " ".join(text.split())
