"""Runs a session of the documentation: a command after each `$`, its output below, keys where they are pressed."""

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
"""Seconds until a user presses Ctrl-C. Python may be interrupted while it still writes the line before."""

_ANSWER = re.compile(r"(.+\[y/N\] )(\w+)")


@dataclass
class Step:
    """A command and the lines that its terminal shows. `^C` is a line of its own."""

    command: str
    lines: list[str]


def parse_steps(block: str) -> Iterator[Step]:
    """The steps of a session, each of which begins with `$`."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.rstrip("\n").split("\n")
        yield Step(command, lines)


class Session:
    """One shell: the exit code of a command is `$?` of the next."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder, self._env, self._code = folder, env, 0
        self._ids: dict[str, str] = {}

    def run(self, step: Step) -> list[str]:
        """The lines that the step's command shows. The ids of the documentation stand for those of earlier steps."""
        command = _ID.sub(lambda found: self._ids.get(found[0], found[0]), step.command)
        shell = f'ferry() {{ "{sys.executable}" -m ferry_client "$@"; }}; (exit {self._code}); {command}'
        with Terminal(["bash", "-c", shell], self._folder, self._env) as terminal:
            for number, line in enumerate(step.lines):
                if line == "^C":
                    terminal.wait_for(lambda lines, end=number: normalize(step.lines[:end]) == normalize(lines[:end]))
                    terminal.wait_for(lambda _: False, _PAUSE)
                    terminal.press(CTRL_C)
                elif asked := _ANSWER.fullmatch(line):
                    terminal.wait_for(lambda lines, said=asked[1]: said.rstrip() in lines)
                    terminal.press(f"{asked[2]}\n")
            self._code = terminal.exit_code()
            lines = terminal.lines
        self._ids |= dict(zip(_ID.findall("\n".join(step.lines)), _ID.findall("\n".join(lines)), strict=False))
        return lines


def normalize(lines: list[str]) -> list[str]:
    """The lines without what differs each time: ids, links, dates, rates, and the echo of Ctrl-C below a bar."""
    for pattern, word in _VARYING:
        lines = [pattern.sub(word, line) for line in lines]
    return [line.removeprefix("^C") for line in lines if line != "^C"]
