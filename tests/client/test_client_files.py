"""Asking, waiting, listing and deleting."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from ferry_client import Ferry, FerryError, File, TimedOut
from ferry_client.problems import NotFound

from tests.client.fake import Fake, hang_up, refuse


def test_a_file_is_what_the_server_says(real: Ferry) -> None:
    file = real.upload(io.BytesIO(b"hello"), name="a.txt", mode="async")

    assert real.wait(file.id, timeout=30).sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert file.created_at is not None
    assert abs((datetime.now(UTC) - file.created_at).total_seconds()) < 60
    assert File.from_json(file.as_json()) == file


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b""])
def test_what_is_not_ferry_is_named(fake: Fake, ferry: Ferry, answer: bytes) -> None:
    fake.instead = [lambda handler: handler.answer(200, answer)]

    with pytest.raises(FerryError, match="not Ferry"):
        next(ferry.list())


def test_a_file_does_not_change(fake: Fake, ferry: Ferry) -> None:
    file = ferry.status(fake.add(b"x", member_of_a_later_version=1))

    with pytest.raises(FrozenInstanceError):
        file.status = "ERROR"  # type: ignore[misc]
    assert len({file, file}) == 1


@pytest.mark.parametrize("id", ["unknown", "../healthz", "a/b", "%2e", "?"])
def test_an_unknown_file_is_not_found(real: Ferry, id: str) -> None:
    with pytest.raises(NotFound):
        real.status(id)


def test_waiting_ends_when_the_file_does(fake: Fake, ferry: Ferry) -> None:
    id = fake.add(b"x", status="PENDING")
    threading.Timer(0.3, fake.become, [id, "COMPLETE"]).start()

    assert ferry.wait(id, timeout=20).status == "COMPLETE"
    assert len(fake.seen) == 2


def test_waiting_misses_no_change_between_two_questions(fake: Fake, ferry: Ferry) -> None:
    id, seen = fake.add(b"x", status="PENDING"), []
    following = {"PENDING": "PROCESSING", "PROCESSING": "COMPLETE"}

    def on_change(file: File) -> None:
        seen.append(file.status)
        if file.status in following:
            fake.become(id, following[file.status])

    began = time.monotonic()
    assert ferry.wait(id, timeout=20, on_change=on_change).status == "COMPLETE"
    assert seen == ["PENDING", "PROCESSING", "COMPLETE"]
    assert time.monotonic() - began < 5


def test_a_server_that_does_not_let_us_wait_is_asked_as_often_as_it_says(fake: Fake, ferry: Ferry) -> None:
    id = fake.add(b"x", status="PENDING")
    answer = lambda handler: handler.json(200, fake.files[id], Retry_After="1")  # noqa: E731
    fake.instead = [answer] * 20

    with pytest.raises(TimedOut):
        ferry.wait(id, timeout=2)
    assert 3 <= len(fake.seen) <= 5


def test_waiting_for_what_is_over_asks_once(fake: Fake, ferry: Ferry) -> None:
    assert ferry.wait(fake.add(b"x", status="ERROR", error="storage-denied")).error == "storage-denied"
    assert len(fake.seen) == 1


def test_waiting_lasts_no_longer_than_it_may(fake: Fake, ferry: Ferry) -> None:
    id, began = fake.add(b"x", status="PENDING"), time.monotonic()

    with pytest.raises(TimedOut, match="PENDING"):
        ferry.wait(id, timeout=0.5)
    assert time.monotonic() - began < 2


def test_a_list_goes_over_all_pages(fake: Fake, ferry: Ferry) -> None:
    ids = [fake.add(b"x") for _ in range(250)]

    assert [file.id for file in ferry.list()] == ids[::-1]
    assert len(fake.seen) == 3


def test_a_list_is_asked_for_only_as_far_as_it_is_read(fake: Fake, ferry: Ferry) -> None:
    for _ in range(250):
        fake.add(b"x")
    next(ferry.list())

    assert len(fake.seen) == 1


def test_a_list_has_only_what_was_asked_for(fake: Fake, ferry: Ferry) -> None:
    fake.add(b"x", "b.txt")
    fake.add(b"x", "a.txt", status="ERROR")
    wanted = fake.add(b"x", "a.txt")
    after = datetime(2026, 1, 1, tzinfo=UTC)

    assert [file.id for file in ferry.list(prefix="a", status="COMPLETE", created_after=after)] == [wanted]
    assert fake.seen[0].query["created_after"] == "2026-01-01T00:00:00+00:00"


def test_a_prefix_holds_where_the_server_does_not_know_it(fake: Fake, ferry: Ferry) -> None:
    fake.add(b"x", "b.txt")
    everything = {"files": list(fake.files.values()), "next": None}
    fake.instead = [lambda handler: handler.json(200, everything)]

    assert list(ferry.list(prefix="a")) == []


def test_many_ids_are_asked_for_by_the_hundred(fake: Fake, ferry: Ferry) -> None:
    ids = [fake.add(b"x") for _ in range(150)]

    files, unknown = ferry.statuses([*ids, "nobody"])
    assert ([file.id for file in files], unknown) == (ids, ["nobody"])
    assert len(fake.seen) == 2

    assert ferry.delete_all([*ids, "nobody"]) == (ids, ["nobody"])
    assert ferry.statuses([]) == ([], [])


def test_what_is_deleted_is_gone(fake: Fake, ferry: Ferry) -> None:
    id = fake.add(b"x")
    ferry.delete(id)

    for _ in range(2):
        with pytest.raises(NotFound):
            ferry.delete(id)


def test_a_delete_whose_answer_was_lost_has_happened(fake: Fake, ferry: Ferry) -> None:
    id = fake.add(b"x")

    def delete_and_hang_up(handler) -> None:  # type: ignore[no-untyped-def]
        del fake.files[id]
        hang_up(handler)

    fake.instead = [delete_and_hang_up]
    ferry.delete(id)

    assert [seen.method for seen in fake.seen] == ["DELETE", "DELETE"]


def test_a_question_is_asked_again(fake: Fake, ferry: Ferry) -> None:
    fake.instead = [hang_up, refuse(503, "database-unavailable", Retry_After="0"), refuse(429, "x", Retry_After="0")]

    assert list(ferry.list()) == []
    assert len(fake.seen) == 4
