"""Skip local files that the server stores for long enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from ferry_client import Ferry
from ferry_client.cli.local_files import LocalFile, find_files
from ferry_client.cli.remote_index import RemoteIndex

from tests.client.conftest import Run
from tests.client.fake_server import FakeServer, seconds_from_now

HOUR = 3600


def test_each_duplicate_needs_a_remote_copy_of_its_own(fake: FakeServer, ferry: Ferry, folder: Path) -> None:
    fake.add(b"same", "b.txt")
    locals = [entry for entry in find_files([str(folder)], recursive=True) if isinstance(entry, LocalFile)]
    index = RemoteIndex(ferry, locals)

    claimed = [index.claim(local) for local in locals if local.path.name == "b.txt"]

    assert [bool(file) for file in claimed] == [True, False]


def test_a_large_server_is_queried_by_name(fake: FakeServer, ferry: Ferry, folder: Path) -> None:
    stored = fake.add(b"a", "a.txt")
    for _ in range(1100):
        fake.add(b"x", "other")

    [local] = [entry for entry in find_files([str(folder / "a.txt")], recursive=True) if isinstance(entry, LocalFile)]
    file = RemoteIndex(ferry, [local]).claim(local)

    assert file is not None
    assert file.id == stored
    assert fake.requests[-1].query["prefix"] == "a.txt"
    assert len(fake.requests) <= 12


@pytest.mark.parametrize(
    ("lifetime", "expires_in", "matches"),
    [
        (None, None, True),
        (None, HOUR, True),
        (HOUR, None, False),
        (-1, None, False),
        (HOUR, HOUR, True),
        (HOUR * 0.91, HOUR, True),
        (HOUR * 0.89, HOUR, False),
        (10 * HOUR, HOUR, True),
        (60, HOUR, False),
        (HOUR, 999_999_999 * 604_800, False),
    ],
)
def test_a_remote_copy_must_live_as_long_as_requested(
    fake: FakeServer, ferry: Ferry, folder: Path, lifetime: float | None, expires_in: int | None, matches: bool
) -> None:
    fake.add(b"a", "a.txt", expires_at=None if lifetime is None else seconds_from_now(lifetime))
    [local] = [entry for entry in find_files([str(folder / "a.txt")], recursive=True) if isinstance(entry, LocalFile)]

    assert bool(RemoteIndex(ferry, [local], expires_in).claim(local)) is matches


def test_a_folder_with_expiring_copies_is_sent_again(fake: FakeServer, command: Run, folder: Path) -> None:
    summaries = [
        command(fake.url, "upload", "-r", folder, *more).stderr.split(",")[0]
        for more in (("--expires-in", "1h"), ("--expires-in", "1h"), ("--expires-in", "2h"), (), ())
    ]

    assert summaries == ["4 sent", "0 sent", "4 sent", "4 sent", "0 sent"]
