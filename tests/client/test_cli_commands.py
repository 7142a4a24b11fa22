"""`ferry ls` and `ferry status`."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ferry_client import File
from ferry_client.cli.commands import list_row, status_row

from tests.client.conftest import Run, environment, json_lines
from tests.client.fake_server import FakeServer


def test_ls_prints_one_line_per_file(fake: FakeServer, command: Run) -> None:
    fake.add(b"x" * 1234, "a.txt")
    fake.add(b"x", "b.txt", status="ERROR", error="storage-denied")

    assert [line.split() for line in command(fake.url, "ls").stdout.splitlines()] == [
        ["id-1", "ERROR", "1", "B", "2026-11-20", "10:24", "b.txt", "storage-denied"],
        ["id-0", "COMPLETE", "1.2", "kB", "2026-11-20", "10:24", "a.txt"],
    ]
    assert [line["id"] for line in json_lines(command(fake.url, "ls", "--status", "COMPLETE", "--json"))] == ["id-0"]


def test_ls_ends_quietly_when_its_reader_exits(fake: FakeServer) -> None:
    for _ in range(3000):
        fake.add(b"x", "n" * 200)
    command = f"{sys.executable} -m ferry_client --url {fake.url} ls | head -1"
    ran = subprocess.run(command, shell=True, env=environment(), capture_output=True, text=True, timeout=60)

    assert (ran.stdout.count("\n"), ran.stderr) == (1, "")


def test_characters_outside_the_terminals_encoding_are_replaced(fake: FakeServer) -> None:
    fake.add(b"x", "größe")
    env = environment() | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "ls"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    assert (ran.returncode, ran.stdout.split()[-1]) == (0, "gr??e")


def test_status_of_a_failed_file_exits_1(fake: FakeServer, command: Run) -> None:
    good, bad = fake.add(b"x"), fake.add(b"x", status="ERROR")

    assert command(fake.url, "status", good).returncode == 0
    assert command(fake.url, "status", good, bad).returncode == 1
    assert command(fake.url, "status", "unknown").returncode == 1


def test_ls_stops_at_its_limit(fake: FakeServer, command: Run) -> None:
    for number in range(250):
        fake.add(b"x", f"n{number}")

    assert [line.split()[-1] for line in command(fake.url, "ls", "--limit", 2).stdout.splitlines()] == ["n249", "n248"]
    assert command(fake.url, "ls", "--limit", 150).stdout.count("\n") == 150
    assert [request.query["limit"] for request in fake.requests] == ["2", "100", "100"]
    assert command(fake.url, "ls", "--limit", 0).returncode == 2


@pytest.mark.parametrize("prefix", ["résumé", "re\u0301sume\u0301"])
def test_a_prefix_matches_composed_and_decomposed(fake: FakeServer, command: Run, tmp_path: Path, prefix: str) -> None:
    """macOS and some keyboards decompose; the server stores names in NFC."""
    fake.add(b"x", "résumé.pdf")

    assert command(fake.url, "ls", "--prefix", prefix).stdout.endswith("résumé.pdf\n")
    assert command(fake.url, "download", "--prefix", prefix, "--to", tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["résumé.pdf"]
    assert command(fake.url, "rm", "--prefix", prefix, "--yes").stderr.startswith("1 deleted")
    assert {request.query["prefix"] for request in fake.requests if "prefix" in request.query} == {"résumé"}


ID = "0b8f6a52-6d1c-4f5e-9d39-6c3a2f0d5a11"


def make_file(name: str, **more: Any) -> File:
    at = datetime(2026, 11, 20, 10, 24, tzinfo=UTC)
    return File(ID, name, more.pop("status", "COMPLETE"), "normal", more.pop("size", 1234), created_at=at, **more)


@pytest.mark.parametrize(
    ("file", "width", "line"),
    [
        (make_file("a.txt"), None, f"{ID}  COMPLETE       1.2 kB  2026-11-20 10:24  a.txt"),
        (make_file("n" * 300), None, f"{ID}  COMPLETE       1.2 kB  2026-11-20 10:24  {'n' * 300}"),
        (make_file("a.txt"), 100, f"{ID}  COMPLETE       1.2 kB  2026-11-20 10:24  a.txt"),
        (make_file("a.txt"), 80, f"{ID}      1.2 kB  2026-11-20  a.txt"),
        (make_file("a.txt", status="PROCESSING"), 80, f"{ID}  PROCESSING  2026-11-20  a.txt"),
        (make_file("x", status="ERROR", error="too-large"), 80, f"{ID}       ERROR  2026-11-20  x  too-large"),
        (
            make_file("3-crossing.mp4", status="ERROR", error="client-disconnected"), 80,
            f"{ID}       ERROR  3-cr….mp4  client-disconnected",
        ),
        (
            make_file("3-crossing.mp4", status="PENDING", error="storage-unavailable"), 80,
            f"{ID}     PENDING  3-cr….mp4  storage-unavailable",
        ),
        (make_file("holiday pictures 2026 (12).jpeg"), 80, f"{ID}      1.2 kB  2026-11-20  holiday p…12).jpeg"),
        (make_file("旅行の写真と日記二〇二六年.jpeg"), 80, f"{ID}      1.2 kB  2026-11-20  旅行の写真…年.jpeg"),
    ],
)  # fmt: skip
def test_a_line_fits_the_terminal(file: File, width: int | None, line: str) -> None:
    assert list_row(file, width) == line
    assert width is None or len(line) <= width


def test_status_rows_show_the_status_on_a_narrow_terminal() -> None:
    assert status_row(make_file("a.txt"), 80) == f"{ID}    COMPLETE  2026-11-20  a.txt"
    assert status_row(make_file("a.txt"), None) == list_row(make_file("a.txt"), None)


def test_ls_prints_one_line_per_file_in_80_columns(fake: FakeServer) -> None:
    fake.add(b"x", "a name that is longer than what is left of the line.txt", id=ID)
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "ls"]
    with subprocess.Popen(command, env=environment() | {"COLUMNS": "80"}, stdout=slave) as process:
        os.close(slave)
        [line] = os.read(master, 65536).decode().splitlines()
    os.close(master)

    assert (process.returncode, len(line)) == (0, 80)
    assert line.endswith("a name th…line.txt")
