"""The session in the client's README is what a terminal of 80 columns shows."""

from __future__ import annotations

import re
from pathlib import Path

from dev.parts import ROOT
from tests.client.conftest import environment
from tests.client.session import Session, normalised, steps
from tests.client.terminal import shown
from tests.stack import Stack

README = (ROOT / "client/README.md").read_text()
SIZES = {"1-harbour.jpg": 61_000, "2-lighthouse.jpg": 48_000, "3-crossing.mp4": 5_200_000}


def test_the_readmes_session_is_what_a_terminal_shows(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    for name, size in SIZES.items():
        (tmp_path / "holiday" / name).write_bytes(b"x" * size)
    [block] = re.findall(r"```console\n(.+?)```", README, re.DOTALL)
    session = Session(tmp_path, environment() | {"FERRY_URL": stack.url})

    for step in steps(block):
        assert normalised(session.run(step)) == normalised(step.lines), step.command
    assert (tmp_path / "copy/3-crossing.mp4").read_bytes() == b"x" * SIZES["3-crossing.mp4"]


def test_lines_are_put_together_as_a_terminal_shows_them() -> None:
    """Of two rows one line, a bar erased and drawn again, what the cursor was moved to overwritten."""
    output = "bar 1\r\x1b[2K" + "a" * 85 + "\r\n\x1b[32mbar\x1b[0m 2\r\nbar 3\r\x1b[2K\x1b[1A\x1b[2Kdone\r\n\x1b[?25h"

    assert shown(output) == ["a" * 85, "done"]
