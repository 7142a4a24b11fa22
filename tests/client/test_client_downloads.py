"""Downloads: whole and compared, or not there at all; continued where they were cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ferry_client import Damaged, Ferry, File, Unreachable
from ferry_client.problems import FerryError

from tests.client.fake import Fake

BODY = os.urandom(3_000_000)
LEFT = ".id-0.ferry-part"
"""What a download of the first file leaves when it is cut."""


def ranges(fake: Fake) -> list[str | None]:
    return [seen.headers.get("Range") for seen in fake.seen if seen.path.endswith("/content")]


def test_a_download_is_the_file(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    id = fake.add(BODY, "photo.jpg")

    path = ferry.download(id, tmp_path, on_progress=lambda *now: told.append(now))

    assert path == tmp_path / "photo.jpg"
    assert path.read_bytes() == BODY
    assert told[-1] == (len(BODY), len(BODY))
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_comes_too(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    assert ferry.download(fake.add(b""), tmp_path / "a").read_bytes() == b""


def test_a_download_that_was_cut_goes_on_where_it_was(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    fake.cut_content_at = [1_000_000, 500_000]

    path = ferry.download(fake.add(BODY), tmp_path / "a")

    assert path.read_bytes() == BODY
    assert ranges(fake) == [None, "bytes=1000000-", "bytes=1500000-"]


def test_another_command_goes_on_where_the_first_was_cut(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / LEFT).write_bytes(BODY[:2_000_000])

    path = ferry.download(fake.add(BODY), tmp_path / "a")

    assert path.read_bytes() == BODY
    assert ranges(fake) == ["bytes=2000000-"]


@pytest.mark.parametrize("left", [b"x" * 2_000_000, b"x" * 3_000_000, b"x" * 4_000_000])
def test_what_another_file_left_is_thrown_away(fake: Fake, ferry: Ferry, tmp_path: Path, left: bytes) -> None:
    (tmp_path / LEFT).write_bytes(left)

    assert ferry.download(fake.add(BODY), tmp_path / "a").read_bytes() == BODY


def test_what_came_whole_before_is_not_asked_for(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / LEFT).write_bytes(BODY)

    assert ferry.download(fake.add(BODY), tmp_path / "a").read_bytes() == BODY
    assert ranges(fake) == []


def test_a_server_that_sends_all_when_asked_for_the_rest_is_understood(
    fake: Fake, ferry: Ferry, tmp_path: Path
) -> None:
    (tmp_path / LEFT).write_bytes(BODY[:1000])
    id = fake.add(BODY)
    fake.instead = [lambda handler: handler.json(200, fake.files[id]), lambda handler: handler.answer(200, BODY)]

    assert ferry.download(id, tmp_path / "a").read_bytes() == BODY


def test_damaged_bytes_are_not_kept(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    id = fake.add(BODY)
    fake.contents[id] = b"x" + BODY[1:]
    (tmp_path / "a").write_bytes(b"what was here")

    with pytest.raises(Damaged):
        ferry.download(id, tmp_path / "a")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"what was here"]


def test_a_server_that_gives_nothing_is_given_up(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    fake.cut_content_at = [1000] + [0] * 20

    with pytest.raises(Unreachable):
        ferry.download(fake.add(BODY), tmp_path / "a")
    assert (tmp_path / LEFT).read_bytes() == BODY[:1000]


def test_what_is_not_stored_yet_is_not_ready(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    with pytest.raises(FerryError) as raised:
        ferry.download(fake.add(BODY, status="PENDING"), tmp_path / "a")
    assert (raised.value.slug, raised.value.fields["status"]) == ("not-ready", "PENDING")
    assert list(tmp_path.iterdir()) == []


def test_an_id_does_not_lead_out_of_the_folder(fake: Fake, ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = File("../../out", "..", "COMPLETE", "normal", 1)
    fake.instead = [lambda handler: handler.answer(200, b"x")]

    path = ferry.download(file, tmp_path / "in")

    assert [*tmp_path.rglob("*")] == [tmp_path / "in", path]


@pytest.mark.parametrize(
    "name", ["../out", "/out", "..\\out", "..", ".", "", "a/../../out", ".id-0.ferry-part", ".id-9.FERRY-PART"]
)
def test_a_name_does_not_lead_out_of_the_folder(fake: Fake, ferry: Ferry, tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()

    path = ferry.download(fake.add(b"x", name), tmp_path / "in")

    assert path.parent == tmp_path / "in"
    assert path.name not in (LEFT, ".id-9.FERRY-PART")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]
