"""Fixtures of the client's tests: a real Ferry, and a fake one that fails as configured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ferry_client import Ferry
from ferry_client.cli.main import main

from dev.parts import ROOT
from tests.client.fake_server import FakeServer, running_fake
from tests.harness.stack import Stack

Shell = Callable[..., tuple[int, str, str]]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with running_fake() as fake:
        yield fake


@pytest.fixture
def ferry(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ferry]:
    """A client of the fake server, without jitter: its retry delays are as short as possible."""
    monkeypatch.setattr("ferry_client.retries.random.random", lambda: 0.0)
    with Ferry(fake.url, max_retry_seconds=2) as ferry:
        yield ferry


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("client")) as stack:
        yield stack


@pytest.fixture
def real(stack: Stack) -> Iterator[Ferry]:
    with Ferry(stack.url) as ferry:
        yield ferry


@pytest.fixture
def run() -> Run:
    """Run `ferry --url URL …` as a process."""

    def run(url: str, *argv: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ferry_client", "--url", url, *map(str, argv)]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `ferry --url URL …` in this process: ten times as fast as `run`, without a terminal."""
    monkeypatch.setattr("ferry_client.retries.random.random", lambda: 0.0)

    def command(url: str, *argv: object) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        try:
            code = main(["--url", url, *map(str, argv)])
        except SystemExit as usage:
            code = int(str(usage.code))
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(["ferry", *map(str, argv)], code, out, err)

    return command


@pytest.fixture
def shell(command: Run) -> Shell:
    """Run `ferry …` in this process: exit code, stdout, stderr."""

    def shell(*argv: object) -> tuple[int, str, str]:
        ran = command("http://127.0.0.1:1", *argv)
        return ran.returncode, ran.stdout, ran.stderr

    return shell


@pytest.fixture
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test on a retry."""
    monkeypatch.setattr("ferry_client.retries.time.sleep", lambda _: pytest.fail("a pause"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A nested folder with two equal files."""
    for name, body in {"a.txt": "a", "b.txt": "same", "deep/b.txt": "same", "deep/er/c.csv": ","}.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    return tmp_path / "folder"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "client")}


def json_lines(ran: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in ran.stdout.splitlines()]
