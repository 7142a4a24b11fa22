"""`ferry rm`: by ids, and all files of a prefix after a question."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tests.client.conftest import Run, json_lines
from tests.client.fake_server import FakeServer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def ids(fake: FakeServer) -> list[str]:
    """Two files with a common prefix, and another one."""
    return [fake.add(b"xx", name) for name in ("log-1", "log-2", "other")]


def test_rm_deletes_files_by_id(fake: FakeServer, ids: list[str], command: Run) -> None:
    ran = command(fake.url, "rm", ids[0], "unknown", ids[0])

    assert (ran.returncode, ran.stdout, list(fake.files)) == (1, "deleted  id-0\n", ids[1:])
    assert ran.stderr.startswith("ferry: unknown: ")
    assert ran.stderr.splitlines()[-1] == "1 deleted, 0 skipped, 1 failed"


def test_rm_prefix_without_a_terminal_requires_yes(fake: FakeServer, ids: list[str], command: Run) -> None:
    refused = command(fake.url, "rm", "--prefix", "log-")
    assert (refused.returncode, fake.requests) == (2, [])
    assert "--yes" in refused.stderr

    ran = command(fake.url, "rm", "--prefix", "log-", "--yes")
    assert (ran.returncode, list(fake.files)) == (0, ids[2:])
    assert ran.stdout.splitlines() == ["deleted  id-1  2 B  log-2", "deleted  id-0  2 B  log-1"]
    assert ran.stderr == "2 deleted, 0 skipped, 0 failed\n"


@pytest.mark.parametrize(
    ("answer", "code", "remaining"), [("y\n", 0, 1), ("YES\n", 0, 1), ("n\n", 1, 3), ("\n", 1, 3), ("", 1, 3)]
)
def test_rm_prefix_asks_on_a_terminal(
    fake: FakeServer,
    ids: list[str],
    command: Run,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    remaining: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))

    ran = command(fake.url, "rm", "--prefix", "log-")

    assert (ran.returncode, len(fake.files)) == (code, remaining)
    assert ran.stderr.startswith("Delete 2 files (4 B) whose names start with 'log-'? [y/N] ")
    assert answer or ran.stderr.endswith("[y/N] \nferry: nothing was deleted\n")


def test_rm_rejects_an_empty_prefix(fake: FakeServer, ids: list[str], command: Run) -> None:
    ran = command(fake.url, "rm", "--prefix", "", "--yes")

    assert (ran.returncode, fake.requests, len(fake.files)) == (2, [], 3)


def test_rm_deletes_in_batches_of_100(fake: FakeServer, command: Run) -> None:
    for number in range(250):
        fake.add(b"x", f"log-{number}")

    ran = command(fake.url, "rm", "--prefix", "log-", "--yes")

    assert (ran.returncode, fake.files) == (0, {})
    assert ran.stderr == "250 deleted, 0 skipped, 0 failed\n"
    batches = [len(json.loads(request.body)["ids"]) for request in fake.requests if request.path == "/files/delete"]
    assert batches == [100, 100, 50]


def test_rm_prefix_without_a_match_succeeds(fake: FakeServer, ids: list[str], command: Run) -> None:
    """So that the command can be repeated."""
    ran = command(fake.url, "rm", "--prefix", "none", "--yes")

    assert (ran.returncode, ran.stderr) == (0, "0 deleted, 0 skipped, 0 failed\n")


def test_rm_skips_a_file_deleted_after_the_listing(fake: FakeServer, ids: list[str], command: Run) -> None:
    listing = {"files": [fake.files[id] for id in ids[:2]], "next": None}
    fake.overrides = [lambda handler: (handler.json(200, listing), fake.files.pop(ids[0]))[0]]

    ran = command(fake.url, "rm", "--prefix", "log-", "--yes")

    assert (ran.returncode, ran.stderr) == (0, "1 deleted, 1 skipped, 0 failed\n")


def test_rm_dry_run_deletes_nothing(fake: FakeServer, ids: list[str], command: Run) -> None:
    by_prefix = command(fake.url, "rm", "--prefix", "log-", "--dry-run")
    by_id = command(fake.url, "rm", ids[2], "unknown", "--dry-run", "--json")

    assert (by_prefix.returncode, by_id.returncode, len(fake.files)) == (0, 1, 3)
    assert by_prefix.stdout.splitlines() == ["would delete  id-1  2 B  log-2", "would delete  id-0  2 B  log-1"]
    assert by_prefix.stderr == "2 to delete, 0 skipped, 0 failed; 4 B; dry run: nothing was done\n"
    assert [(line["outcome"], line["path"]) for line in json_lines(by_id)] == [
        ("failed", "unknown"), ("would delete", "id-2")
    ]  # fmt: skip
    assert {request.path for request in fake.requests} == {"/files", "/files/status"}
