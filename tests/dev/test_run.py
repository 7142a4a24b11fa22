"""`make run`, invalid settings, and the permissions of files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from operator import not_
from pathlib import Path

import pytest
import requests

from config import Config
from dev import parts
from dev.polling import eventually
from dev.process import Process, free_port
from dev.run import _host_notice
from tests.harness.stack import Stack, printed


class TestRun:
    """`make run`, as a process."""

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        return tmp_path / "var"

    def run(self, data: Path, port: int) -> Process:
        """Start `make run` in `data`. Its files are private, whatever the shell's umask."""
        env = {"FERRY_DATA": str(data), "PORT": str(port)}
        log = data.parent / f"run-{time.monotonic_ns()}.log"
        process = Process("run", [sys.executable, "-m", "dev.run"], env, log, parts.ROOT)
        process.wait_for(port)
        return process

    def test_printed_lines_work_and_files_survive_a_restart(self, data: Path) -> None:
        port = free_port(4)
        first = self.run(data, port)
        try:
            lines = eventually(lambda: re.findall(r"curl -F \S+ \S+", printed(first)))
            assert len(lines) == 3
            for line in lines:
                line = line.replace("README.md", "pyproject.toml")
                ran = subprocess.run(line, shell=True, cwd=parts.ROOT, capture_output=True, text=True, timeout=30)
                assert '"id"' in ran.stdout
        finally:
            first.signal(signal.SIGINT)
            assert first.stop(20) == 0
        assert children_of(data) == []

        second = self.run(data, port)
        try:
            files = requests.get(f"http://127.0.0.1:{port}/files", timeout=30).json()["files"]
            assert [file["name"] for file in files] == ["pyproject.toml"] * 3
            url = files[-1]["url"]
            assert requests.get(url, timeout=30).content == (parts.ROOT / "pyproject.toml").read_bytes()
        finally:
            second.kill()
        assert open_to_others(data) == []
        assert eventually(lambda: children_of(data), not_) == []

    def test_nothing_starts_once_make_has_ended(self, data: Path) -> None:
        make = subprocess.Popen(["true"])
        make.wait()
        argv = [sys.executable, "-m", "dev.run", "--parent", str(make.pid)]
        env = os.environ | {"FERRY_DATA": str(data), "PORT": str(free_port(4))}
        ran = subprocess.run(argv, cwd=parts.ROOT, env=env, capture_output=True, text=True, timeout=30)

        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
        assert not data.exists()

    def test_a_second_start_on_the_same_folder_is_refused(self, data: Path) -> None:
        first = self.run(data, free_port(4))
        try:
            env = os.environ | {"FERRY_DATA": str(data), "PORT": str(free_port())}
            argv = [sys.executable, "-m", "dev.run"]
            ran = subprocess.run(argv, cwd=parts.ROOT, env=env, capture_output=True, text=True, timeout=30)
        finally:
            first.stop(20)

        assert (ran.returncode, "already runs on" in ran.stderr) == (1, True)

    @pytest.mark.parametrize(("host", "noticed"), [("127.0.0.1", False), ("::1", True), ("0.0.0.0", True)])
    def test_an_ignored_host_is_reported(self, host: str, noticed: bool) -> None:
        assert (f"HOST={host} is ignored" in _host_notice(Config.from_env({"HOST": host}))) is noticed

    def test_a_taken_port_is_reported(self, stack: Stack, data: Path) -> None:
        env = os.environ | {"FERRY_DATA": str(data), "PORT": str(stack.ports.web)}
        argv = [sys.executable, "-m", "dev.run"]
        ran = subprocess.run(argv, cwd=parts.ROOT, env=env, capture_output=True, text=True, timeout=30)

        assert ran.returncode == 1
        assert f"Port {stack.ports.web} is taken" in ran.stderr
        assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("command", ["gunicorn", "celery"])
def test_an_invalid_setting_stops_every_process_and_is_named(command: str) -> None:
    argv = {
        "gunicorn": [str(parts.BIN / "gunicorn"), "-c", "gunicorn.conf.py", "app:create_app()"],
        "celery": [str(parts.BIN / "celery"), "-A", "app.celery", "worker"],
    }[command]
    env = os.environ | {"MAX_FILE_SIZE": "ten"}
    ran = subprocess.run(argv, cwd=parts.ROOT, env=env, capture_output=True, text=True, timeout=30)

    assert ran.returncode != 0
    assert "MAX_FILE_SIZE=ten: must be a size in bytes" in ran.stdout + ran.stderr


def test_files_and_folders_are_private_to_ferrys_user(stack: Stack) -> None:
    """Web service, worker and `flask` as separate processes, without a umask in their environment."""
    sent = [stack.upload(mode, b"x").json() for mode in ("async", "celery")]
    assert [stack.ended(file["id"])["status"] for file in sent] == ["COMPLETE"] * 2
    data = stack.data / "other" / "folder"
    env = {**os.environ, **stack.env, "FERRY_DATA": str(data), "SQLALCHEMY_DATABASE_URI": f"sqlite:///{data}/ferry.db"}
    argv = [str(parts.BIN / "flask"), "db", "upgrade"]
    subprocess.run(argv, cwd=parts.ROOT, env=env, check=True, capture_output=True, timeout=30)

    assert (data / "ferry.db").exists()
    found = [path.relative_to(stack.data) for path in open_to_others(stack.data)]
    assert [path for path in found if path.parts[0] not in _OF_RCLONE_AND_REDIS] == []


_OF_RCLONE_AND_REDIS = ("s3", "redis", "log")
"""Started here without `make run`, which sets their umask."""


def open_to_others(folder: Path) -> list[Path]:
    """Paths that other users can read. Paths removed meanwhile are skipped."""
    return [path for path in folder.rglob("*") if path.exists() and path.stat().st_mode & 0o077]


def children_of(data: Path) -> list[str]:
    """Running processes that were started for this data folder."""
    found = []
    for status in Path("/proc").glob("[0-9]*/environ"):
        try:
            if (
                f"SPOOL_DIR={data}/spool".encode() in status.read_bytes()
                or str(data).encode() in (status.parent / "cmdline").read_bytes()
            ):
                found.append(status.parent.name)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found
