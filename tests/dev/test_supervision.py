"""`dev/supervision.py`: a part that exits is restarted with growing pauses, one that always exits early is not."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from dev.polling import wait_until
from dev.process import Process, StartError
from dev.supervision import Supervised, is_ending, restart_pause
from tests.harness.clock import Clock


@pytest.mark.parametrize(
    ("quick_ends", "pause"), [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, None), (6, None)]
)
def test_restart_pauses_grow_until_a_part_is_given_up(quick_ends: int, pause: float | None) -> None:
    assert restart_pause(quick_ends) == pause


class Ended:
    """A fake Process that has ended."""

    name, ended = "part", 3

    def log_tail(self) -> str:
        return ""


class Starts:
    """Start parts that have already ended, and record when."""

    def __init__(self) -> None:
        self.clock, self.at = Clock(), list[float]()

    def __call__(self) -> Any:
        self.at.append(self.clock.now)
        return Ended()

    def run_until(self, part: Supervised, now: float) -> None:
        while self.clock.now < now:
            self.clock.now += 0.5
            part.restart_if_due()


def test_a_part_that_exited_is_restarted(capsys: pytest.CaptureFixture[str]) -> None:
    starts = Starts()
    part = Supervised(starts, starts.clock)
    starts.clock.now = 60
    part.restart_if_due()
    first = part.process
    starts.run_until(part, 60.5)

    assert part.process is not first
    assert starts.at == [0, 60.5]
    assert capsys.readouterr().err == "part exited with code 3. Restarting it in 0.5 s.\n"


def test_a_part_that_always_exits_early_is_given_up() -> None:
    starts = Starts()
    with pytest.raises(StartError, match="part exited with code 3, 5 times soon after its start"):
        starts.run_until(Supervised(starts, starts.clock), 100)
    assert starts.at == [0, 1.5, 4, 8.5, 17]


def test_a_part_that_runs_for_a_while_each_time_is_always_restarted() -> None:
    starts = Starts()
    part = Supervised(starts, starts.clock)
    for _ in range(8):
        starts.clock.now += 11
        part.restart_if_due()
        starts.run_until(part, starts.clock.now + 0.5)
    assert len(starts.at) == 9


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.usefixtures("default_signals")
def test_a_make_that_handles_a_signal_is_detected(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("run:\n\t@exec sleep 30\n")
    make = Process("make", ["make", "-s", "-C", str(tmp_path)])
    children = Path(f"/proc/{make.pid}/task/{make.pid}/children")
    try:
        wait_until(lambda: children.read_text())
        # make also blocks these signals while it starts its child.
        wait_until(lambda: not is_ending(make.pid))
        make.signal(signal.SIGHUP)
        wait_until(lambda: is_ending(make.pid))
    finally:
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)
        make.kill()
    assert not is_ending(make.pid)
