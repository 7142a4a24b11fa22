"""What the user sees: a line or a JSON object for each file on stdout; bars, summary and complaints on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from ferry_client.bodies import Progress
from ferry_client.errors import FerryError
from ferry_client.shell.words import printable

_OWN_BAR = 8 << 20
"""Bytes from which a file has a bar of its own: smaller ones are gone before anybody reads their names."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `what` is done, skipped or failed in the words of the command."""

    what: str
    path: str
    line: str = ""
    bytes: int = 0
    file: dict[str, Any] | None = None
    error: FerryError | OSError | None = None

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"outcome": self.what, "path": self.path}
        if isinstance(self.error, FerryError):
            problem = {"slug": self.error.slug, "status": self.error.status, "detail": self.error.detail}
            found["problem"] = self.error.fields | problem
        elif self.error:
            found["problem"] = {"slug": "os-error", "detail": said(self.error)}
        return found | ({"file": self.file} if self.file else {})


class Screen:
    """Where it goes. `as_json`: lines for scripts."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def show(self, outcome: Outcome) -> None:
        """One file's end."""
        if self._as_json:
            self.json(outcome.as_json())
        elif not outcome.error:
            self.line(outcome.line)
        if outcome.error:
            self.complain(f"{outcome.path}: {said(outcome.error)}")

    def json(self, value: dict[str, Any]) -> None:
        self._write(sys.stdout, json.dumps(value))

    def line(self, text: str) -> None:
        self._write(sys.stdout, printable(text))

    def note(self, text: str) -> None:
        """A line beside the results."""
        self._write(sys.stderr, printable(text))

    def complain(self, text: str) -> None:
        self.note(f"ferry: {text}")

    def _write(self, stream: TextIO, line: str) -> None:
        code = stream.encoding or "utf-8"  # Not every terminal can show every name.
        stream.write(line.encode(code, "replace").decode(code) + "\n")
        stream.flush()

    @contextmanager
    def bars(self, total: int, files: int) -> Iterator[Callable[[str, int | None], Progress | None]]:
        """Bars for so many bytes and files, where somebody looks. Yields what makes the progress of one file."""
        if not sys.stderr.isatty():
            yield lambda _name, _size: None
            return
        from ferry_client.shell.bars import Bars  # rich takes longer to import than a small file to send.

        with Bars(total, files) as bars:
            yield lambda name, size: bars.of(printable(name), size, own=size is None or size >= _OWN_BAR)


def said(error: FerryError | OSError) -> str:
    """An error in one line."""
    text = str(error) if isinstance(error, FerryError) else error.strerror or str(error)
    return " ".join(text.split())
