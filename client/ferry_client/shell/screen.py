"""What the user sees: a line or a JSON object for each file on stdout; bars, summary and complaints on stderr."""

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

from ferry_client.bodies import Progress
from ferry_client.errors import FerryError
from ferry_client.shell.hints import told
from ferry_client.shell.words import printable

_OWN_BAR = 8 << 20
"""Bytes from which a file has a bar of its own: smaller ones are gone before anybody reads their names."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `what` is done, skipped, failed or ignored in the words of the command.

    Of what was ignored, `reason` says why. It is told beside the results, as an `error` is.
    """

    what: str
    path: str
    line: str = ""
    bytes: int = 0
    file: dict[str, Any] | None = None
    error: FerryError | OSError | None = None
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"outcome": self.what, "path": self.path}
        if isinstance(self.error, FerryError):
            problem = {"slug": self.error.slug, "status": self.error.status, "detail": self.error.detail}
            found["problem"] = self.error.fields | problem
        elif self.error:
            found["problem"] = {"slug": "os-error", "detail": said(self.error)}
        found |= {"reason": self.reason} if self.reason else {}
        return found | ({"file": self.file} if self.file else {})


class Progresses(Protocol):
    """Where progress is shown, of all files and of each."""

    def of(self, name: str, size: int | None) -> Progress | None:
        """What to call for one file that begins."""

    def ended(self) -> None:
        """One file more has an outcome."""


class Screen:
    """Where it goes. `as_json`: lines for scripts. `quiet`: no lines for people but errors; no bars, no summary."""

    def __init__(self, *, as_json: bool, aside: bool = False, quiet: bool = False) -> None:
        self._as_json, self._aside, self._quiet = as_json, aside, quiet
        self._above: Callable[[str], None] | None = None

    def aside(self) -> Screen:
        """One whose results go to stderr too: stdout is for the bytes of a file."""
        return Screen(as_json=self._as_json, aside=True, quiet=self._quiet)

    def show(self, outcome: Outcome) -> None:
        """One file's end."""
        if self._as_json:
            self.json(outcome.as_json())
        elif outcome.line and not self._quiet:
            self.line(outcome.line)
        if outcome.error:
            self.complain(f"{outcome.path}: {said(outcome.error)}")
        elif outcome.reason and not self._quiet:
            self.complain(f"{outcome.path}: {outcome.what}: {outcome.reason}")

    def json(self, value: dict[str, Any]) -> None:
        self._write(self._results, json.dumps(value))

    def line(self, text: str) -> None:
        self._write(self._results, printable(text))

    def note(self, text: str) -> None:
        """A line beside the results."""
        if sys.stderr:
            self._write(sys.stderr, printable(text))

    def summary(self, text: str) -> None:
        """The last line, of all files."""
        if not self._quiet:
            self.note(text)

    def complain(self, text: str) -> None:
        self.note(f"ferry: {text}")

    @property
    def width(self) -> int | None:
        """Cells of the terminal that shows the results; None where they go elsewhere. COLUMNS overrides it."""
        results = self._results
        return shutil.get_terminal_size().columns if results and results.isatty() else None

    @property
    def _results(self) -> TextIO | None:
        """None where the shell has closed it (`>&-`)."""
        return sys.stderr if self._aside else sys.stdout

    def _write(self, stream: TextIO | None, line: str) -> None:
        if stream is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        code = stream.encoding or "utf-8"  # Not every terminal can show every name.
        line = line.encode(code, "replace").decode(code)
        if self._above and stream.isatty():
            self._above(line)
        else:
            stream.write(f"{line}\n")
            stream.flush()

    @contextmanager
    def bars(self, sizes: Sequence[int | None], *, typed: bool = False) -> Iterator[Progresses]:
        """Bars for files of these sizes, on a terminal; none where a file is typed into it or shown in it."""
        bytes_too = typed or (self._aside and sys.stdout and sys.stdout.isatty())
        if self._quiet or bytes_too or not (sys.stderr and sys.stderr.isatty()):
            yield _NoBars()
            return
        from ferry_client.shell.bars import Bars  # rich takes longer to import than a small file to send.

        known = [size for size in sizes if size is not None]
        with Bars(sum(known) if len(known) == len(sizes) else None, len(sizes), own_from=_OWN_BAR) as bars:
            self._above = bars.above
            try:
                yield bars
            finally:
                self._above = None


class _NoBars:
    def of(self, _name: str, _size: int | None) -> None:
        return None

    def ended(self) -> None:
        pass


def said(error: FerryError | OSError) -> str:
    """An error in one line."""
    text = told(error) if isinstance(error, FerryError) else error.strerror or str(error)
    return " ".join(text.split())
