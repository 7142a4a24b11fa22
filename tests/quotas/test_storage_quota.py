"""Quotas: what an owner has is counted with each move of a file, and never exceeds what it may have."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

import file
from auth import api_keys
from lifecycle import queries, transitions
from models import File
from problems import Problem, QuotaExceeded
from quotas import storage_quota
from quotas.storage_quota import allowed

LEASE = 30.0


@pytest.mark.parametrize(
    ("quota", "used", "more", "all_or_nothing", "fits"),
    [
        (None, 7, 5, True, 5),
        (10, 0, 10, True, 10),
        (10, 0, 11, True, None),
        (10, 0, 11, False, 10),
        (10, 10, 0, True, 0),
        (10, 10, 1, False, 0),
        (10, 15, 0, True, 0),
        (10, 15, 1, False, 0),
        (10, 15, -4, True, -4),
    ],
)
def test_what_fits_beside_what_is_there(
    quota: int | None, used: int, more: int, all_or_nothing: bool, fits: int | None
) -> None:
    assert allowed(quota, used, more, all_or_nothing=all_or_nothing) == fits


@pytest.fixture
def alice(app: Flask) -> str:
    api_keys.create("alice", ["upload"], None)
    return "alice"


def has(name: str) -> tuple[int, int]:
    found = storage_quota.get_owner(name)
    return found.used_bytes, found.used_files


def kept(owner: str, size: int) -> File:
    """A file of so many bytes, as `receive` accepts it."""
    row = file.new("a", "text/plain", "async", owner=owner)
    row.size = row.reserved = size
    row.sha256 = "0" * 64
    transitions.insert_row(row, LEASE)
    return row


def held(owner: str, bound: int) -> File:
    row = file.new("a", "text/plain", "normal", owner=owner)
    file.hold(row, bound)
    return row


def accepted_at_once(app: Flask, owner: str) -> int:
    """How many of twelve files of 5 bytes get in, eight at a time."""

    def attempt(_: int) -> int:
        with app.app_context():
            try:
                kept(owner, 5)
            except QuotaExceeded:
                return 0
            return 1

    with ThreadPoolExecutor(8) as threads:
        return sum(threads.map(attempt, range(12)))


def test_a_file_counts_from_when_it_is_accepted_until_it_fails(alice: str) -> None:
    row = kept(alice, 5)
    assert has(alice) == (5, 1)

    transitions.claim(row, LEASE)
    transitions.fail(row, "storage-denied")

    assert has(alice) == (0, 0)


def test_a_file_that_is_tried_again_counts_again_if_there_is_room(alice: str) -> None:
    row = kept(alice, 5)
    transitions.claim(row, LEASE)
    transitions.fail(row, "storage-denied")

    assert transitions.retry(row)
    assert has(alice) == (5, 1)
    transitions.claim(row, LEASE)
    transitions.fail(row, "storage-denied")
    api_keys.set_quotas(alice, quota_bytes=4)
    with pytest.raises(QuotaExceeded):
        transitions.retry(row)
    assert (has(alice), queries.get(row.id).upload_status) == ((0, 0), "ERROR")  # type: ignore[union-attr]


class TestUnknownLength:
    """Nobody knows how much will come: it is reserved in steps, of 10 bytes here."""

    @pytest.fixture(autouse=True)
    def _small_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(storage_quota, "RESERVATION_STEP", 10)

    def test_it_locks_nobody_out_while_it_comes(self, alice: str) -> None:
        api_keys.set_quotas(alice, quota_bytes=100)
        row, seen = file.new("a", "text/plain", "normal", owner=alice), []

        def body() -> Iterator[bytes]:
            for _ in range(5):
                yield b"12345"
                seen.append(has(alice)[0])
            kept(alice, 60)

        file.hold(row, None)
        file.store(row, body())
        assert seen == [10, 10, 20, 20, 30]
        assert has(alice) == (85, 2)

    def test_it_ends_where_the_quota_does_and_leaves_nothing(self, alice: str) -> None:
        api_keys.set_quotas(alice, quota_bytes=34)
        row = file.new("a", "text/plain", "normal", owner=alice)

        file.hold(row, None)
        with pytest.raises(QuotaExceeded) as raised:
            file.store(row, iter([b"12345"] * 7))
        assert has(alice) == (0, 0)
        assert raised.value.fields["used_bytes"] == 0

    def test_its_last_byte_may_be_the_quotas_last(self, alice: str) -> None:
        api_keys.set_quotas(alice, quota_bytes=34)
        row = file.new("a", "text/plain", "normal", owner=alice)

        file.hold(row, None)
        file.store(row, iter([b"1" * 34]))
        assert has(alice) == (34, 1)

    def test_who_has_lost_it_reserves_nothing(self, alice: str) -> None:
        row = file.new("a", "text/plain", "normal", owner=alice)
        file.hold(row, None)
        transitions.delete(row)

        with pytest.raises(Problem):
            file.store(row, iter([b"12345"] * 9))
        assert has(alice) == (0, 0)


def test_a_file_of_unknown_size_has_what_is_left_and_gives_back_what_it_does_not_need(alice: str) -> None:
    api_keys.set_quotas(alice, quota_bytes=10)

    row = held(alice, 100)
    assert (row.reserved, has(alice)) == (10, (10, 1))
    transitions.complete(row, url="", size=3, sha256="0" * 64)

    assert has(alice) == (3, 1)


def test_a_file_whose_holder_died_is_given_back_with_it(alice: str) -> None:
    row = file.new("a", "text/plain", "normal", owner=alice)
    row.reserved = 7
    transitions.insert_row(row, -1.0, held=True)

    assert transitions.fail_abandoned(row, "server-stopped")
    assert has(alice) == (0, 0)


def test_a_move_that_was_overtaken_counts_nothing(alice: str) -> None:
    row = kept(alice, 5)
    transitions.claim(row, LEASE)
    row.attempt += 1

    assert not transitions.fail(row, "storage-denied")
    assert has(alice) == (5, 1)


def test_what_does_not_fit_leaves_no_row_and_says_the_numbers(alice: str) -> None:
    api_keys.set_quotas(alice, quota_bytes=9)
    kept(alice, 5)

    with pytest.raises(QuotaExceeded) as refused:
        kept(alice, 5)
    assert refused.value.fields == {"quota_bytes": 9, "used_bytes": 5, "quota_files": None, "used_files": 1}
    assert len(queries.page(alice, 9)) == 1


@pytest.mark.parametrize("quota", [{"quota_files": 3}, {"quota_bytes": 15}])
def test_uploads_at_the_same_time_never_exceed_a_quota(app: Flask, alice: str, quota: dict[str, int]) -> None:
    api_keys.set_quotas(alice, **quota)

    assert accepted_at_once(app, alice) == 3
    assert has(alice) == (15, 3)


def test_a_file_of_nobody_counts_for_nobody(app: Flask) -> None:
    row = file.new("a", "text/plain", "normal")
    file.hold(row, 5)

    assert transitions.fail(row, "storage-denied")


def test_room_without_end_is_none_and_a_full_one_is_refused(alice: str) -> None:
    assert storage_quota.remaining(alice) is None
    api_keys.set_quotas(alice, quota_bytes=5, quota_files=1)
    room = storage_quota.remaining(alice)
    assert room is not None
    room.check(5)
    with pytest.raises(QuotaExceeded):
        room.check(6)
    kept(alice, 1)
    with pytest.raises(QuotaExceeded):
        storage_quota.remaining(alice)


def test_a_discarded_file_counts_for_nothing(app: Flask, alice: str) -> None:
    row = file.new("a", "text/plain", "normal", owner=alice)
    file.hold(row, 9)
    assert has(alice) == (9, 1)

    assert transitions.discard(row, "too-many-files")
    assert has(alice) == (0, 0)
