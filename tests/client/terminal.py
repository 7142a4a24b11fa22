"""A command in a terminal of 80 columns: its keys, and what its screen shows."""

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
_OUTPUT = re.compile(r"\x1b\[(?P<number>\d*)[?;\d]*(?P<code>[A-Za-z])|(?P<sign>[\r\n])|(?P<text>[^\x1b\r\n]+)")


class Terminal:
    """Runs a command as the foreground process of a terminal of its own, for the length of a `with`."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        """`env` has all variables of the command but TERM and COLUMNS."""
        self._output, self._ours = "", -1
        self._command, self._folder = command, folder
        self._env = {name: value for name, value in env.items() if name != "COLUMNS"} | {"TERM": "xterm"}

    def __enter__(self) -> Terminal:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, _SIZE)
        self.process = subprocess.Popen(
            self._command, cwd=self._folder, env=self._env, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True, preexec_fn=_in_the_foreground,
        )  # fmt: skip
        os.close(theirs)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def lines(self) -> list[str]:
        """The lines on the screen, and those that have scrolled away."""
        return rendered_lines(self._output)

    def press(self, keys: str) -> None:
        """Type `keys`, which the terminal echoes. Ctrl-C reaches the command as SIGINT."""
        os.write(self._ours, keys.encode())

    def wait_for(self, seen: Callable[[list[str]], bool], seconds: float = 20) -> bool:
        """Read until the lines are as `seen` wants them. False: the command ended, or the time did, before that."""
        deadline = time.monotonic() + seconds
        while not seen(self.lines):
            if time.monotonic() > deadline or not self._read():
                return False
        return True

    def exit_code(self, seconds: float = 20) -> int:
        """The exit code of the command, whose output is read to its end."""
        self.wait_for(lambda _: False, seconds)
        return self.process.wait(seconds)

    def _read(self) -> bool:
        """Take what the command has written within 0.1 s. False: it has closed its terminal."""
        if not select.select([self._ours], [], [], 0.1)[0]:
            return True
        try:
            self._output += os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # How Linux reports that the last process has closed the terminal.
            return False
        return True


class _Screen:
    """The rows of a terminal that wraps long lines, moves its cursor up and erases rows."""

    def __init__(self) -> None:
        self.rows, self.goes_on, self._row, self._column = [""], [False], 0, 0

    def write(self, text: str) -> None:
        """Put each character at the cursor. It wraps when one more than a row can hold comes, not before."""
        for sign in text:
            if self._column == COLUMNS:
                self.goes_on[self._row] = True
                self.down()
                self._column = 0
            row = self.rows[self._row].ljust(self._column)
            self.rows[self._row] = row[: self._column] + sign + row[self._column + 1 :]
            self._column += 1

    def down(self) -> None:
        self._row += 1
        if self._row == len(self.rows):
            self.rows.append("")
            self.goes_on.append(False)

    def up(self, number: int) -> None:
        self._row = max(0, self._row - number)

    def left(self) -> None:
        self._column = 0

    def erase(self) -> None:
        self.rows[self._row], self.goes_on[self._row] = "", False


def rendered_lines(output: str) -> list[str]:
    """The lines that a terminal shows for `output`, each in one piece even where it takes two rows. Pure."""
    screen = _Screen()
    for found in _OUTPUT.finditer(output):
        if found["text"]:
            screen.write(found["text"])
        elif found["sign"] == "\r":
            screen.left()
        elif found["sign"] == "\n":
            screen.down()
        elif found["code"] == "A":
            screen.up(int(found["number"] or 1))
        elif found["code"] == "K":
            screen.erase()
    text = "".join(row + ("" if goes_on else "\n") for row, goes_on in zip(screen.rows, screen.goes_on, strict=True))
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _in_the_foreground() -> None:
    """The terminal becomes the process's own, so that its Ctrl-C is a signal to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
