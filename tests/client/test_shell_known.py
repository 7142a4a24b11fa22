"""Which files of a folder the server has already, for as long as they are wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from ferry_client import Ferry
from ferry_client.shell.folders import Local, found
from ferry_client.shell.known import Known

from tests.client.conftest import Run
from tests.client.fake import Fake, in_seconds

HOUR = 3600


def test_of_twins_each_needs_one_on_the_server(fake: Fake, ferry: Ferry, folder: Path) -> None:
    fake.add(b"same", "b.txt")
    locals = [each for each in found([str(folder)], recursive=True) if isinstance(each, Local)]
    known = Known(ferry, locals)

    taken = [known.take(local) for local in locals if local.path.name == "b.txt"]

    assert [bool(each) for each in taken] == [True, False]


def test_a_large_server_is_asked_name_by_name(fake: Fake, ferry: Ferry, folder: Path) -> None:
    wanted = fake.add(b"a", "a.txt")
    for _ in range(1100):
        fake.add(b"x", "other")

    [local] = [each for each in found([str(folder / "a.txt")], recursive=True) if isinstance(each, Local)]
    file = Known(ferry, [local]).take(local)

    assert file is not None
    assert file.id == wanted
    assert fake.seen[-1].query["prefix"] == "a.txt"
    assert len(fake.seen) <= 12


@pytest.mark.parametrize(
    ("left", "wanted", "counts"),
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
def test_only_what_stays_as_long_as_is_asked_for_counts(
    fake: Fake, ferry: Ferry, folder: Path, left: float | None, wanted: int | None, counts: bool
) -> None:
    fake.add(b"a", "a.txt", expires_at=None if left is None else in_seconds(left))
    [local] = [each for each in found([str(folder / "a.txt")], recursive=True) if isinstance(each, Local)]

    assert bool(Known(ferry, [local], wanted).take(local)) is counts


def test_a_folder_that_is_about_to_go_is_sent_for_good(fake: Fake, command: Run, folder: Path) -> None:
    said = [
        command(fake.url, "upload", "-r", folder, *more).stderr.split(",")[0]
        for more in (("--expires-in", "1h"), ("--expires-in", "1h"), ("--expires-in", "2h"), (), ())
    ]

    assert said == ["4 sent", "0 sent", "4 sent", "4 sent", "0 sent"]
