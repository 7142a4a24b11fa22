"""status(), wait(), list() and delete()."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from ferry_client import Ferry, FerryError, File, WaitTimeout
from ferry_client.problems import NotFound

from tests.client.fake_server import FakeServer, disconnect, respond_problem


def test_a_file_has_the_servers_values(real: Ferry) -> None:
    file = real.upload(io.BytesIO(b"hello"), name="a.txt", mode="async")

    assert real.wait(file.id, timeout=30).sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert file.created_at is not None
    assert abs((datetime.now(UTC) - file.created_at).total_seconds()) < 60
    assert File.from_json(file.to_json()) == file


@pytest.mark.parametrize("response", [b"<html>", b"[]", b""])
def test_a_response_that_is_not_ferrys_is_reported(fake: FakeServer, ferry: Ferry, response: bytes) -> None:
    fake.overrides = [lambda handler: handler.respond(200, response)]

    with pytest.raises(FerryError, match="not Ferry"):
        next(ferry.list())


def test_a_file_is_immutable_and_hashable(fake: FakeServer, ferry: Ferry) -> None:
    file = ferry.status(fake.add(b"x", member_of_a_later_version=1))

    with pytest.raises(FrozenInstanceError):
        file.status = "ERROR"  # type: ignore[misc]
    assert len({file, file}) == 1


@pytest.mark.parametrize("id", ["unknown", "../healthz", "a/b", "%2e", "?"])
def test_an_unknown_file_is_not_found(real: Ferry, id: str) -> None:
    with pytest.raises(NotFound):
        real.status(id)


def test_wait_returns_when_the_file_is_complete(fake: FakeServer, ferry: Ferry) -> None:
    id = fake.add(b"x", status="PENDING")
    threading.Timer(0.3, fake.set_status, [id, "COMPLETE"]).start()

    assert ferry.wait(id, timeout=20).status == "COMPLETE"
    assert len(fake.requests) == 2


def test_wait_misses_no_change_between_two_requests(fake: FakeServer, ferry: Ferry) -> None:
    id, statuses = fake.add(b"x", status="PENDING"), []
    following = {"PENDING": "PROCESSING", "PROCESSING": "COMPLETE"}

    def on_change(file: File) -> None:
        statuses.append(file.status)
        if file.status in following:
            fake.set_status(id, following[file.status])

    began = time.monotonic()
    assert ferry.wait(id, timeout=20, on_change=on_change).status == "COMPLETE"
    assert statuses == ["PENDING", "PROCESSING", "COMPLETE"]
    assert time.monotonic() - began < 5


def test_wait_polls_by_retry_after_without_long_polling(fake: FakeServer, ferry: Ferry) -> None:
    id = fake.add(b"x", status="PENDING")
    response = lambda handler: handler.json(200, fake.files[id], Retry_After="1")  # noqa: E731
    fake.overrides = [response] * 20

    with pytest.raises(WaitTimeout):
        ferry.wait(id, timeout=2)
    assert 3 <= len(fake.requests) <= 5


def test_wait_for_a_final_file_sends_one_request(fake: FakeServer, ferry: Ferry) -> None:
    assert ferry.wait(fake.add(b"x", status="ERROR", error="storage-denied")).error == "storage-denied"
    assert len(fake.requests) == 1


def test_wait_obeys_its_timeout(fake: FakeServer, ferry: Ferry) -> None:
    id, began = fake.add(b"x", status="PENDING"), time.monotonic()

    with pytest.raises(WaitTimeout, match="PENDING"):
        ferry.wait(id, timeout=0.5)
    assert time.monotonic() - began < 2


def test_list_reads_all_pages(fake: FakeServer, ferry: Ferry) -> None:
    ids = [fake.add(b"x") for _ in range(250)]

    assert [file.id for file in ferry.list()] == ids[::-1]
    assert len(fake.requests) == 3


def test_list_requests_pages_lazily(fake: FakeServer, ferry: Ferry) -> None:
    for _ in range(250):
        fake.add(b"x")
    next(ferry.list())

    assert len(fake.requests) == 1


def test_list_filters_by_every_condition(fake: FakeServer, ferry: Ferry) -> None:
    fake.add(b"x", "b.txt")
    fake.add(b"x", "a.txt", status="ERROR")
    expected = fake.add(b"x", "a.txt")
    after = datetime(2026, 1, 1, tzinfo=UTC)

    assert [file.id for file in ferry.list(prefix="a", status="COMPLETE", created_after=after)] == [expected]
    assert fake.requests[0].query["created_after"] == "2026-01-01T00:00:00+00:00"


def test_list_filters_by_prefix_if_the_server_does_not(fake: FakeServer, ferry: Ferry) -> None:
    fake.add(b"x", "b.txt")
    everything = {"files": list(fake.files.values()), "next": None}
    fake.overrides = [lambda handler: handler.json(200, everything)]

    assert list(ferry.list(prefix="a")) == []


def test_ids_are_sent_in_batches_of_100(fake: FakeServer, ferry: Ferry) -> None:
    ids = [fake.add(b"x") for _ in range(150)]

    files, unknown = ferry.statuses([*ids, "unknown"])
    assert ([file.id for file in files], unknown) == (ids, ["unknown"])
    assert len(fake.requests) == 2

    assert ferry.delete_many([*ids, "unknown"]) == (ids, ["unknown"])
    assert ferry.statuses([]) == ([], [])


def test_a_deleted_file_is_not_found(fake: FakeServer, ferry: Ferry) -> None:
    id = fake.add(b"x")
    ferry.delete(id)

    for _ in range(2):
        with pytest.raises(NotFound):
            ferry.delete(id)


def test_a_delete_with_a_lost_response_succeeds(fake: FakeServer, ferry: Ferry) -> None:
    id = fake.add(b"x")

    def delete_and_hang_up(handler) -> None:  # type: ignore[no-untyped-def]
        del fake.files[id]
        disconnect(handler)

    fake.overrides = [delete_and_hang_up]
    ferry.delete(id)

    assert [request.method for request in fake.requests] == ["DELETE", "DELETE"]


def test_a_request_is_retried(fake: FakeServer, ferry: Ferry) -> None:
    fake.overrides = [
        disconnect,
        respond_problem(503, "database-unavailable", Retry_After="0"),
        respond_problem(429, "x", Retry_After="0"),
    ]

    assert list(ferry.list()) == []
    assert len(fake.requests) == 4
