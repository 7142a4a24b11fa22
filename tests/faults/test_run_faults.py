"""`make run`: ends altogether with its `make`, however that ends; a part of it that ends by itself is started again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dev import parts
from dev.polling import wait_until
from dev.process import Process, free_port, is_free
from tests.harness import sessions

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("default_signals")]


@pytest.fixture
def port() -> int:
    return free_port(4)


@pytest.fixture
def starting(tmp_path: Path, port: int) -> Iterator[Process]:
    """`make run` just after its start, in the venv of the tests."""
    (tmp_path / "Makefile").write_text(f"include {parts.ROOT / 'Makefile'}\n.venv/.local: ;\n")
    argv = ["make", "-s", "-C", str(parts.ROOT), "-f", str(tmp_path / "Makefile"), "run", f"PORT={port}"]
    log = tmp_path / "run.log"
    process = Process(
        "make", [*argv, f"BIN={parts.BIN}"], {"FERRY_DATA": str(tmp_path / "var"), "LEASE_DURATION": "3"}, log
    )
    try:
        yield process
    finally:
        sessions.end(process)


@pytest.fixture
def make(starting: Process, port: int) -> Process:
    """`make run` once it serves."""
    starting.wait_for(port, 60)
    assert starting.log is not None
    wait_until(lambda: "Ctrl-C ends it all" in starting.log.read_text())
    return starting


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_to_make_while_it_starts_ends_everything(starting: Process, port: int, number: signal.Signals) -> None:
    wait_until(lambda: sessions.children(starting.pid))
    [run] = sessions.children(starting.pid)
    starting.signal(number)

    wait_until(lambda: sessions.has_ended(run) and sessions.has_ended(starting.pid), 60)
    assert all(is_free(port + n) for n in range(4))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_to_make_itself_ends_everything(make: Process, port: int, number: signal.Signals) -> None:
    [run] = sessions.children(make.pid)
    pids = [make.pid, *sessions.members(run)]
    assert len(pids) > 5
    make.signal(number)

    wait_until(lambda: all(map(sessions.has_ended, pids)), 60)
    assert all(is_free(port + n) for n in range(4))


@pytest.mark.parametrize("part", ["celery", "gunicorn", "valkey-server", "rclone"])
def test_a_killed_part_is_restarted(make: Process, port: int, part: str) -> None:
    [run] = sessions.children(make.pid)
    before = sessions.children(run)
    killed = [pid for pid in before if part in Path(f"/proc/{pid}/cmdline").read_text()]
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(sessions.children(run)) - set(killed)) == len(before))
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: not is_free(port))

    id = requests.post(f"{url}/celery_upload", files={"file": ("a.txt", b"x")}, timeout=30).json()["id"]
    wait_until(lambda: requests.get(f"{url}/files/{id}?wait=20", timeout=30).json()["status"] == "COMPLETE")
