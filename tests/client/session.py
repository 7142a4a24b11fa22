"""Run a shell session of the documentation: a command after each `$`, its output below, pressed keys."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.client.terminal import CTRL_C, Terminal

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VARYING = (
    (re.compile(r"http://\S+[?&](X-Amz-Expires=\d+)&\S+"), r"LINK \1"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"in \S+ s: \S+ \wB/s, \d+ files/s"), "RATES"),
    (_ID, "ID"),
)
_PAUSE = 0.3
"""Seconds before Ctrl-C is pressed, so that Python is not interrupted while it writes the line before."""

_ANSWER = re.compile(r"(.+\[y/N\] )(\w+)")


@dataclass
class Step:
    """A command and its output lines. `^C` is a line of its own."""

    command: str
    lines: list[str]


def parse_steps(block: str) -> Iterator[Step]:
    """Yield the steps of a session. Each begins with `$`."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.rstrip("\n").split("\n")
        yield Step(command, lines)


class Session:
    """A shell: the exit code of a command is `$?` of the next."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder, self._env, self._code = folder, env, 0
        self._ids: dict[str, str] = {}

    def run(self, step: Step) -> list[str]:
        """Return the output of a step. Ids in its command are mapped to those that earlier steps printed."""
        command = _ID.sub(lambda match: self._ids.get(match[0], match[0]), step.command)
        shell = f'ferry() {{ "{sys.executable}" -m ferry_client "$@"; }}; (exit {self._code}); {command}'
        with Terminal(["bash", "-c", shell], self._folder, self._env) as terminal:
            for number, line in enumerate(step.lines):
                if line == "^C":
                    terminal.wait_for(lambda lines, end=number: normalize(step.lines[:end]) == normalize(lines[:end]))
                    terminal.wait_for(lambda _: False, _PAUSE)
                    terminal.press(CTRL_C)
                elif question := _ANSWER.fullmatch(line):
                    terminal.wait_for(lambda lines, text=question[1]: text.rstrip() in lines)
                    terminal.press(f"{question[2]}\n")
            self._code = terminal.exit_code()
            lines = terminal.lines
        self._ids |= dict(zip(_ID.findall("\n".join(step.lines)), _ID.findall("\n".join(lines)), strict=False))
        return lines


def normalize(lines: list[str]) -> list[str]:
    """Replace what differs each time: ids, links, dates, rates, and the echo of Ctrl-C below a bar."""
    for pattern, word in _VARYING:
        lines = [pattern.sub(word, line) for line in lines]
    return [line.removeprefix("^C") for line in lines if line != "^C"]
