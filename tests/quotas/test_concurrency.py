"""Slots: never more than the limit in a process or on a host, and none lost with its process."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from problems import TooManyUploads
from quotas.concurrency import HostSlots
from server.slots import ProcessSlots

FULL = TooManyUploads()


@pytest.fixture(params=["process", "host"])
def slots(request: pytest.FixtureRequest, tmp_path: Path) -> ProcessSlots | HostSlots:
    return ProcessSlots() if request.param == "process" else HostSlots(tmp_path / "new" / "slots")


def test_one_slot_more_than_the_limit_is_refused(slots: ProcessSlots | HostSlots) -> None:
    with slots.acquire("alice", 2, FULL), slots.acquire("alice", 2, FULL), pytest.raises(TooManyUploads) as refused:
        slots.acquire("alice", 2, FULL).__enter__()

    assert refused.value is FULL
    with slots.acquire("alice", 2, FULL), slots.acquire("alice", 2, FULL):
        pass


def test_names_have_separate_slots(slots: ProcessSlots | HostSlots) -> None:
    with slots.acquire("alice", 1, FULL), slots.acquire("bob", 1, FULL):
        pass


def test_an_exception_releases_the_slot(slots: ProcessSlots | HostSlots) -> None:
    with pytest.raises(RuntimeError), slots.acquire("alice", 1, FULL):
        raise RuntimeError

    with slots.acquire("alice", 1, FULL):
        pass


def test_threads_share_the_slots_of_a_process(slots: ProcessSlots | HostSlots) -> None:
    held, together = [], threading.Barrier(8)

    def enter() -> None:
        together.wait()
        try:
            with slots.acquire("alice", 3, FULL):
                held.append(1)
                together.wait()
        except TooManyUploads:
            together.wait()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(held) == 3


def test_names_without_a_slot_take_no_memory() -> None:
    slots = ProcessSlots()
    for number in range(100):
        with slots.acquire(str(number), 1, FULL):
            assert len(slots._held) == 1

    assert not slots._held


def test_slots_of_another_process_count_until_it_is_killed(tmp_path: Path) -> None:
    slots = HostSlots(tmp_path / "slots")
    hold = (
        "import sys; from pathlib import Path; from quotas.concurrency import HostSlots\n"
        "with HostSlots(Path(sys.argv[1])).acquire('alice', 1, OSError()): print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", hold, str(slots._path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(TooManyUploads):
            slots.acquire("alice", 1, FULL).__enter__()
        process.kill()
        process.wait()

    with slots.acquire("alice", 1, FULL):
        pass
