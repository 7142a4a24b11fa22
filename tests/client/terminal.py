"""A command in a pseudo-terminal of 80 columns: pressed keys, rendered output."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

CTRL_C = "\x03"
COLUMNS = 80
_SIZE = struct.pack("HHHH", 24, COLUMNS, 0, 0)
_OUTPUT = re.compile(r"\x1b\[(?P<number>\d*)[?;\d]*(?P<code>[A-Za-z])|(?P<control>[\r\n])|(?P<text>[^\x1b\r\n]+)")


class Terminal:
    """Runs a command as the foreground process of a new terminal, for the length of a `with` block."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        """`env`: all variables of the command, without TERM and COLUMNS."""
        self._output, self._master = "", -1
        self._command, self._folder = command, folder
        self._env = {name: value for name, value in env.items() if name != "COLUMNS"} | {"TERM": "xterm"}

    def __enter__(self) -> Terminal:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, _SIZE)
        self.process = subprocess.Popen(
            self._command, cwd=self._folder, env=self._env, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(slave)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    @property
    def lines(self) -> list[str]:
        """All lines, including scrolled ones."""
        return rendered_lines(self._output)

    def press(self, keys: str) -> None:
        """Type `keys`, which the terminal echoes. Ctrl-C reaches the command as SIGINT."""
        os.write(self._master, keys.encode())

    def wait_for(self, condition: Callable[[list[str]], bool], seconds: float = 20) -> bool:
        """Read until `condition(lines)`. Returns False if the command or the time ended before."""
        deadline = time.monotonic() + seconds
        while not condition(self.lines):
            if time.monotonic() > deadline or not self._read():
                return False
        return True

    def exit_code(self, seconds: float = 20) -> int:
        """Read the output to its end and return the command's exit code."""
        self.wait_for(lambda _: False, seconds)
        return self.process.wait(seconds)

    def _read(self) -> bool:
        """Read the output of 0.1 s. Returns False if the command has closed the terminal."""
        if not select.select([self._master], [], [], 0.1)[0]:
            return True
        try:
            self._output += os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # Linux reports EIO when the last process has closed the terminal.
            return False
        return True


class _Screen:
    """The rows of a terminal. Supports wrapping, cursor up and erased rows."""

    def __init__(self) -> None:
        self.rows, self.wraps, self._row, self._column = [""], [False], 0, 0

    def write(self, text: str) -> None:
        """Put each character at the cursor, which wraps only before the next character."""
        for char in text:
            if self._column == COLUMNS:
                self.wraps[self._row] = True
                self.line_feed()
                self._column = 0
            row = self.rows[self._row].ljust(self._column)
            self.rows[self._row] = row[: self._column] + char + row[self._column + 1 :]
            self._column += 1

    def line_feed(self) -> None:
        self._row += 1
        if self._row == len(self.rows):
            self.rows.append("")
            self.wraps.append(False)

    def cursor_up(self, number: int) -> None:
        self._row = max(0, self._row - number)

    def carriage_return(self) -> None:
        self._column = 0

    def erase_row(self) -> None:
        self.rows[self._row], self.wraps[self._row] = "", False


def rendered_lines(output: str) -> list[str]:
    """Return the lines that a terminal shows for `output`; a wrapped line is one line."""
    screen = _Screen()
    for token in _OUTPUT.finditer(output):
        if token["text"]:
            screen.write(token["text"])
        elif token["control"] == "\r":
            screen.carriage_return()
        elif token["control"] == "\n":
            screen.line_feed()
        elif token["code"] == "A":
            screen.cursor_up(int(token["number"] or 1))
        elif token["code"] == "K":
            screen.erase_row()
    text = "".join(row + ("" if wraps else "\n") for row, wraps in zip(screen.rows, screen.wraps, strict=True))
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _take_terminal() -> None:
    """Make the terminal the controlling one, so that Ctrl-C becomes SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
