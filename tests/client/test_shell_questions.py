"""`ferry ls`, `ferry status` and `ferry rm`."""

from __future__ import annotations

import subprocess
import sys

from tests.client.conftest import Run, environment, lines
from tests.client.fake import Fake


def test_a_list_is_a_line_a_file(fake: Fake, run: Run) -> None:
    fake.add(b"x" * 1234, "a.txt")
    fake.add(b"x", "b.txt", status="ERROR", error="storage-denied")

    assert [line.split() for line in run(fake.url, "ls").stdout.splitlines()] == [
        ["id-1", "ERROR", "1", "B", "2026-11-20", "10:24", "b.txt", "storage-denied"],
        ["id-0", "COMPLETE", "1.2", "kB", "2026-11-20", "10:24", "a.txt"],
    ]
    assert [line["id"] for line in lines(run(fake.url, "ls", "--status", "COMPLETE", "--json"))] == ["id-0"]


def test_a_list_whose_reader_goes_away_ends_quietly(fake: Fake) -> None:
    for _ in range(3000):
        fake.add(b"x", "n" * 200)
    command = f"{sys.executable} -m ferry_client --url {fake.url} ls | head -1"
    ran = subprocess.run(command, shell=True, env=environment(), capture_output=True, text=True, timeout=60)

    assert (ran.stdout.count("\n"), ran.stderr) == (1, "")


def test_a_name_that_the_terminal_can_not_show_is_shown_as_far_as_it_can(fake: Fake) -> None:
    fake.add(b"x", "größe")
    env = environment() | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "ls"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    assert (ran.returncode, ran.stdout.split()[-1]) == (0, "gr??e")


def test_the_status_of_a_failed_file_is_a_failure(fake: Fake, run: Run) -> None:
    good, bad = fake.add(b"x"), fake.add(b"x", status="ERROR")

    assert run(fake.url, "status", good).returncode == 0
    assert run(fake.url, "status", good, bad).returncode == 1
    assert run(fake.url, "status", "nobody").returncode == 1


def test_files_are_removed(fake: Fake, run: Run) -> None:
    ran = run(fake.url, "rm", fake.add(b"x"), "nobody")

    assert (ran.returncode, ran.stdout, fake.files) == (1, "deleted  id-0\n", {})
    assert ran.stderr.startswith("ferry: nobody: ")
