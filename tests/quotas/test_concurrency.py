"""Slots: never more than the limit on one host; a killed process releases its slots."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from problems import TooManyUploads
from quotas.concurrency import ConcurrencyLimiter


@pytest.fixture
def limiter(tmp_path: Path) -> ConcurrencyLimiter:
    return ConcurrencyLimiter(tmp_path / "new" / "slots")


def test_one_slot_more_than_the_limit_is_refused(limiter: ConcurrencyLimiter) -> None:
    with limiter.acquire("alice", 2), limiter.acquire("alice", 2), pytest.raises(TooManyUploads) as refused:
        limiter.acquire("alice", 2).__enter__()

    assert refused.value.fields == {"most": 2}
    with limiter.acquire("alice", 2), limiter.acquire("alice", 2):
        pass


def test_names_have_separate_slots(limiter: ConcurrencyLimiter) -> None:
    with limiter.acquire("alice", 1), limiter.acquire("bob", 1):
        pass


def test_an_exception_releases_the_slot(limiter: ConcurrencyLimiter) -> None:
    with pytest.raises(RuntimeError), limiter.acquire("alice", 1):
        raise RuntimeError

    with limiter.acquire("alice", 1):
        pass


def test_slots_of_another_process_count_until_it_is_killed(limiter: ConcurrencyLimiter) -> None:
    hold = (
        "import sys; from pathlib import Path; from quotas.concurrency import ConcurrencyLimiter\n"
        "with ConcurrencyLimiter(Path(sys.argv[1])).acquire('alice', 1): print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", hold, str(limiter._path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(TooManyUploads):
            limiter.acquire("alice", 1).__enter__()
        process.kill()
        process.wait()

    with limiter.acquire("alice", 1):
        pass
