"""The session in the client's README matches a terminal of 80 columns."""

from __future__ import annotations

import re
from pathlib import Path

from dev.parts import ROOT
from tests.client.conftest import environment
from tests.client.session import Session, normalize, parse_steps
from tests.client.terminal import rendered_lines
from tests.harness.stack import Stack

README = (ROOT / "client/README.md").read_text()
SIZES = {"1-harbour.jpg": 61_000, "2-lighthouse.jpg": 48_000, "3-crossing.mp4": 5_200_000}


def test_the_readme_session_matches_a_terminal(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    for name, size in SIZES.items():
        (tmp_path / "holiday" / name).write_bytes(b"x" * size)
    [block] = re.findall(r"```console\n(.+?)```", README, re.DOTALL)
    session = Session(tmp_path, environment() | {"FERRY_URL": stack.url})

    for step in parse_steps(block):
        assert normalize(session.run(step)) == normalize(step.lines), step.command
    assert (tmp_path / "copy/3-crossing.mp4").read_bytes() == b"x" * SIZES["3-crossing.mp4"]


def test_output_is_rendered_as_a_terminal_shows_it() -> None:
    """A wrapped line is joined, a bar is erased and redrawn, rows are overwritten."""
    output = "bar 1\r\x1b[2K" + "a" * 85 + "\r\n\x1b[32mbar\x1b[0m 2\r\nbar 3\r\x1b[2K\x1b[1A\x1b[2Kdone\r\n\x1b[?25h"

    assert rendered_lines(output) == ["a" * 85, "done"]
