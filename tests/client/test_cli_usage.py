"""The command line itself: options, settings from the environment, signals, the terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.client.conftest import Run, environment
from tests.client.fake_server import FakeServer, disconnect


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        ((), 2),
        (("upload",), 2),
        (("upload", "a", "--jobs", "0"), 2),
        (("upload", "a", "--expires-in", "soon"), 2),
        (("download",), 2),
        (("upload", "nothing"), 1),
    ],
)
def test_wrong_usage_exits_2_and_failure_1(fake: FakeServer, run: Run, argv: tuple[str, ...], code: int) -> None:
    ran = run(fake.url, *argv)

    assert (ran.returncode, "Traceback" in ran.stderr) == (code, False)


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://["])
def test_a_malformed_url_is_reported_in_one_line(run: Run, url: str) -> None:
    ran = run(url, "ls")

    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)


def test_settings_come_from_the_environment(fake: FakeServer) -> None:
    env = environment() | {"FERRY_URL": fake.url, "FERRY_KEY": "ferry_k"}
    subprocess.run([sys.executable, "-m", "ferry_client", "ls"], env=env, check=True, timeout=60)

    assert fake.requests[0].headers["Authorization"] == "Bearer ferry_k"


def _restore_sigint() -> None:
    """Restore SIGINT, which a shell ignores for background jobs: children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_retries_are_reported_and_ctrl_c_ends_them(fake: FakeServer, folder: Path) -> None:
    fake.overrides = [disconnect] * 99
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "upload"]
    with subprocess.Popen(
        [*command, folder / "a.txt"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=_restore_sigint,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()

    assert first.startswith(f"ferry: {fake.url} can't be reached")
    assert "again in" in first
    assert process.returncode == 130
    assert rest.splitlines()[-2].startswith("0 sent, 0 skipped, 0 failed, 1 not finished")
    assert rest.endswith("ferry: interrupted: 1 of 1 files not finished. Run it again.\n")
    assert "Traceback" not in rest


def test_ctrl_c_does_not_wait_for_running_uploads(fake: FakeServer, folder: Path) -> None:
    requested, release = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        requested.set()
        release.wait(60)

    fake.overrides = [hold] * 4
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "upload", *map(str, folder.glob("*.txt"))]
    with subprocess.Popen(
        command, env=environment(), stderr=subprocess.PIPE, text=True, preexec_fn=_restore_sigint
    ) as process:
        assert requested.wait(20)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=40)
    release.set()

    assert (process.returncode, "Traceback" in err) == (130, False)


def test_a_terminal_shows_progress_bars(fake: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "large [red].bin").write_bytes(b"x" * (10 << 20))
    (tmp_path / "small.bin").write_bytes(b"x")
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "upload", "-r", str(tmp_path)]
    env = environment() | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=slave, text=True) as process:
        os.close(slave)
        screen = _read_all(master)
        out, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert "2 files" in screen
    assert "MB" in screen
    assert "2 sent, 0 skipped, 0 failed" in screen
    assert sorted(line.split()[0] for line in out.splitlines()) == ["sent", "sent"]


def _read_all(terminal: int) -> str:
    output = b""
    while True:
        try:
            output += os.read(terminal, 65536)
        except OSError:  # Linux reports EIO when the last process has closed the terminal.
            os.close(terminal)
            return output.decode(errors="replace")
