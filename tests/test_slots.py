"""Slots: never more than so many at once on one host, and none that is lost with its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from problems import TooManyUploads
from slots import Slots


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return Slots(tmp_path / "new" / "slots")


def test_so_many_are_held_and_one_more_is_refused(slots: Slots) -> None:
    with slots.take("alice", 2), slots.take("alice", 2), pytest.raises(TooManyUploads) as refused:
        slots.take("alice", 2).__enter__()

    assert refused.value.fields == {"most": 2}
    with slots.take("alice", 2), slots.take("alice", 2):
        pass


def test_nobody_waits_for_the_slots_of_others(slots: Slots) -> None:
    with slots.take("alice", 1), slots.take("bob", 1):
        pass


def test_a_slot_is_given_back_whatever_happens_while_it_is_held(slots: Slots) -> None:
    with pytest.raises(RuntimeError), slots.take("alice", 1):
        raise RuntimeError

    with slots.take("alice", 1):
        pass


def test_another_process_counts_and_is_forgotten_when_it_is_killed(slots: Slots) -> None:
    hold = (
        "import sys; from pathlib import Path; from slots import Slots\n"
        "with Slots(Path(sys.argv[1])).take('alice', 1): print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", hold, str(slots._path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TooManyUploads):
            slots.take("alice", 1).__enter__()
        other.kill()
        other.wait()

    with slots.take("alice", 1):
        pass
