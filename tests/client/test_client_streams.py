"""Downloads into a stream: what was written can't be taken back, so it goes on only where that is sound."""

from __future__ import annotations

import io
import os

import pytest
from ferry_client import CutShort, Damaged, Ferry, Unreachable
from ferry_client.bodies import Body
from ferry_client.problems import NotReady

from tests.client.fake import Fake
from tests.client.test_client_downloads import BODY, ranges


def test_a_stream_gets_the_file_from_where_it_stands(fake: Fake, ferry: Ferry) -> None:
    stream, told = io.BytesIO(b"head"), []
    stream.seek(4)

    file = ferry.download_into(fake.add(BODY), stream, on_progress=lambda *now: told.append(now))

    assert stream.getvalue() == b"head" + BODY
    assert (file.size, told[-1]) == (len(BODY), (len(BODY), len(BODY)))


def test_a_stream_goes_on_where_it_was_cut(fake: Fake, ferry: Ferry) -> None:
    fake.cut_content_at, stream = [1_000_000, 0, 500_000], io.BytesIO()
    id = fake.add(BODY)

    ferry.download_into(id, stream)

    assert stream.getvalue() == BODY
    assert ranges(fake) == [None, "bytes=1000000-", "bytes=1000000-", "bytes=1500000-"]
    assert fake.seen[-1].headers["If-Range"] == f'"{fake.files[id]["sha256"]}"'


def test_a_stream_that_can_not_be_continued_gets_no_second_beginning(fake: Fake, ferry: Ferry) -> None:
    """A server that sends all when it is asked for the rest, as where the file is another by now."""
    fake.cut_content_at, stream = [1000], io.BytesIO()
    id = fake.add(BODY)
    file = ferry.status(id)
    fake.files[id]["sha256"] = "another"

    with pytest.raises(CutShort):
        ferry.download_into(file, stream)
    assert stream.getvalue() == BODY[:1000]


def test_a_stream_of_which_no_more_comes_is_given_up(fake: Fake, ferry: Ferry) -> None:
    fake.cut_content_at, stream = [1000] + [0] * 20, io.BytesIO()

    with pytest.raises(Unreachable):
        ferry.download_into(fake.add(BODY), stream)
    assert stream.getvalue() == BODY[:1000]


def test_damaged_bytes_in_a_stream_are_told(fake: Fake, ferry: Ferry) -> None:
    id = fake.add(BODY)
    fake.contents[id] = b"x" + BODY[1:]

    with pytest.raises(Damaged):
        ferry.download_into(id, io.BytesIO())


def test_nothing_is_written_of_what_is_not_stored_yet(fake: Fake, ferry: Ferry) -> None:
    stream = io.BytesIO()

    with pytest.raises(NotReady):
        ferry.download_into(fake.add(BODY, status="PENDING"), stream)
    assert stream.getvalue() == b""


def test_a_device_is_not_taken_for_an_empty_file() -> None:
    """It says that it can seek, and that it ends where it begins."""
    with open("/dev/zero", "rb", buffering=0) as stream:
        body = Body(stream, "zero", None, None)

        assert body.size is None
        assert next(iter(body.content())) == bytes(1 << 20)


def test_a_stream_that_does_not_wait_is_not_taken_for_ended(fake: Fake, ferry: Ferry) -> None:
    theirs, ours = os.pipe()
    os.set_blocking(theirs, False)
    os.write(ours, b"beginning")

    with open(theirs, "rb", buffering=0) as stream, open(ours, "wb"), pytest.raises(BlockingIOError):
        ferry.upload(stream, name="a")
    assert fake.files == {}
