"""A part that ends by itself is started again, with growing pauses; one that ends at once always is given up."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from dev.process import Process, StartError
from dev.supervision import Supervised, is_ending, restart_pause
from tests.faults.checker import wait


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("quick_ends", "pause"), [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, None), (6, None)]
)
def test_how_long_a_part_rests(quick_ends: int, pause: float | None) -> None:
    assert restart_pause(quick_ends) == pause


class Ended:
    """In place of a Process: one that has ended."""

    name, ended = "part", 3

    def last_words(self) -> str:
        return ""


class Starts:
    """Starts parts that have ended before anything looks at them, and notes when."""

    def __init__(self) -> None:
        self.clock, self.at = Clock(), list[float]()

    def __call__(self) -> Any:
        self.at.append(self.clock.now)
        return Ended()

    def look_until(self, part: Supervised, now: float) -> None:
        while self.clock.now < now:
            self.clock.now += 0.5
            part.look()


def test_a_part_that_ended_is_started_again(capsys: pytest.CaptureFixture[str]) -> None:
    starts = Starts()
    part = Supervised(starts, starts.clock)
    starts.clock.now = 60
    part.look()
    first = part.process
    starts.look_until(part, 60.5)

    assert part.process is not first
    assert starts.at == [0, 60.5]
    assert capsys.readouterr().err == "part ended by itself with code 3. It is started again in 0.5 s.\n"


def test_a_part_that_ends_at_once_again_and_again_is_given_up() -> None:
    starts = Starts()
    with pytest.raises(StartError, match="part ended by itself with code 3, 5 times soon after its start"):
        starts.look_until(Supervised(starts, starts.clock), 100)
    assert starts.at == [0, 1.5, 4, 8.5, 17]


def test_a_part_that_runs_for_a_while_each_time_is_never_given_up() -> None:
    starts = Starts()
    part = Supervised(starts, starts.clock)
    for _ in range(8):
        starts.clock.now += 11
        part.look()
        starts.look_until(part, starts.clock.now + 0.5)
    assert len(starts.at) == 9


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_make_that_handles_a_signal_is_seen(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("run:\n\t@exec sleep 30\n")
    make = Process("make", ["make", "-s", "-C", str(tmp_path)])
    children = Path(f"/proc/{make.pid}/task/{make.pid}/children")
    try:
        wait(lambda: children.read_text())
        # make blocks these signals for the moment in which it starts its child, too.
        wait(lambda: not is_ending(make.pid))
        make.signal(signal.SIGHUP)
        wait(lambda: is_ending(make.pid))
    finally:
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)
        make.kill()
    assert not is_ending(make.pid)
