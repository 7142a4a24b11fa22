"""Slots: never more than so many at once on one host, and none that is lost with its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from problems import TooManyUploads
from quotas.concurrency import ConcurrencyLimiter


@pytest.fixture
def slots(tmp_path: Path) -> ConcurrencyLimiter:
    return ConcurrencyLimiter(tmp_path / "new" / "slots")


def test_so_many_are_held_and_one_more_is_refused(slots: ConcurrencyLimiter) -> None:
    with slots.acquire("alice", 2), slots.acquire("alice", 2), pytest.raises(TooManyUploads) as refused:
        slots.acquire("alice", 2).__enter__()

    assert refused.value.fields == {"most": 2}
    with slots.acquire("alice", 2), slots.acquire("alice", 2):
        pass


def test_nobody_waits_for_the_slots_of_others(slots: ConcurrencyLimiter) -> None:
    with slots.acquire("alice", 1), slots.acquire("bob", 1):
        pass


def test_a_slot_is_given_back_whatever_happens_while_it_is_held(slots: ConcurrencyLimiter) -> None:
    with pytest.raises(RuntimeError), slots.acquire("alice", 1):
        raise RuntimeError

    with slots.acquire("alice", 1):
        pass


def test_another_process_counts_and_is_forgotten_when_it_is_killed(slots: ConcurrencyLimiter) -> None:
    hold = (
        "import sys; from pathlib import Path; from quotas.concurrency import ConcurrencyLimiter\n"
        "with ConcurrencyLimiter(Path(sys.argv[1])).acquire('alice', 1): print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", hold, str(slots._path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TooManyUploads):
            slots.acquire("alice", 1).__enter__()
        other.kill()
        other.wait()

    with slots.acquire("alice", 1):
        pass
