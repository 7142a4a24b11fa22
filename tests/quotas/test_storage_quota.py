"""Storage quotas: usage is counted with each transition of a file and never exceeds the quota."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

import file
from auth import api_keys
from lifecycle import queries, transitions
from models import FileRow
from problems import Problem, QuotaExceeded
from quotas import storage_quota
from quotas.storage_quota import allowed
from tests.harness.factories import EXPIRED, claim, claimed_file, pending_row, uploading_file


@pytest.mark.parametrize(
    ("quota", "used", "requested", "all_or_nothing", "fits"),
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
def test_allowed_amount_within_a_quota(
    quota: int | None, used: int, requested: int, all_or_nothing: bool, fits: int | None
) -> None:
    assert allowed(quota, used, requested, all_or_nothing=all_or_nothing) == fits


@pytest.fixture
def alice(app: Flask) -> str:
    api_keys.create("alice", ["upload"], None)
    return "alice"


def usage(name: str) -> tuple[int, int]:
    owner = storage_quota.get_owner(name)
    return owner.used_bytes, owner.used_files


def accept_concurrently(app: Flask, owner: str) -> int:
    """How many of twelve files of 5 bytes are accepted, eight at a time."""

    def attempt(_: int) -> int:
        with app.app_context():
            try:
                pending_row(5, owner=owner)
            except QuotaExceeded:
                return 0
            return 1

    with ThreadPoolExecutor(8) as threads:
        return sum(threads.map(attempt, range(12)))


def test_a_file_counts_from_its_acceptance_until_it_fails(alice: str) -> None:
    row = pending_row(5, owner=alice)
    assert usage(alice) == (5, 1)

    transitions.set_error(claim(row), "storage-denied")

    assert usage(alice) == (0, 0)


def test_a_retried_file_counts_again_if_it_fits(alice: str) -> None:
    row = pending_row(5, owner=alice)
    row = claim(row)
    transitions.set_error(row, "storage-denied")

    assert transitions.set_pending(row)
    assert usage(alice) == (5, 1)
    row = claim(row)
    transitions.set_error(row, "storage-denied")
    api_keys.set_quotas(alice, quota_bytes=4)
    with pytest.raises(QuotaExceeded):
        transitions.set_pending(row)
    assert (usage(alice), queries.get(row.id).upload_status) == ((0, 0), "ERROR")  # type: ignore[union-attr]


class TestUnknownLength:
    """Bytes are reserved in steps, of 10 bytes here."""

    @pytest.fixture(autouse=True)
    def _small_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(storage_quota, "RESERVATION_STEP", 10)

    def test_other_uploads_are_accepted_meanwhile(self, alice: str) -> None:
        api_keys.set_quotas(alice, quota_bytes=100)
        used = []

        def body() -> Iterator[bytes]:
            for _ in range(5):
                yield b"12345"
                used.append(usage(alice)[0])
            pending_row(60, owner=alice)

        file.store(uploading_file(owner=alice), body())
        assert used == [10, 10, 20, 20, 30]
        assert usage(alice) == (85, 2)

    def test_an_exceeded_quota_ends_the_upload_and_frees_its_bytes(self, alice: str) -> None:
        api_keys.set_quotas(alice, quota_bytes=34)
        row = uploading_file(owner=alice)

        with pytest.raises(QuotaExceeded) as raised:
            file.store(row, iter([b"12345"] * 7))
        assert usage(alice) == (0, 0)
        assert raised.value.fields["used_bytes"] == 0

    def test_an_upload_of_unknown_length_may_fill_the_quota(self, alice: str) -> None:
        api_keys.set_quotas(alice, quota_bytes=34)
        row = uploading_file(owner=alice)

        file.store(row, iter([b"1" * 34]))
        assert usage(alice) == (34, 1)

    def test_a_deleted_file_reserves_nothing(self, alice: str) -> None:
        row = uploading_file(owner=alice)
        transitions.mark_deleted(row)

        with pytest.raises(Problem):
            file.store(row, iter([b"12345"] * 9))
        assert usage(alice) == (0, 0)


def test_a_file_of_unknown_size_reserves_the_remaining_quota_and_releases_the_rest(alice: str) -> None:
    api_keys.set_quotas(alice, quota_bytes=10)

    row = uploading_file(100, owner=alice)
    assert (row.reserved, usage(alice)) == (10, (10, 1))
    transitions.set_complete(row, url="", size=3, sha256="0" * 64)

    assert usage(alice) == (3, 1)


def test_an_abandoned_file_releases_its_reservation(alice: str) -> None:
    row = claimed_file(lease=EXPIRED, reserved=7, owner=alice)

    assert transitions.fail_abandoned(row, "server-stopped")
    assert usage(alice) == (0, 0)


@pytest.mark.parametrize(
    "end",
    [
        lambda row: transitions.set_error(row, "storage-denied"),
        lambda row: transitions.set_error_and_deleted(row, "too-many-files"),
    ],
    ids=["error", "refused"],
)
def test_bytes_whose_reservation_got_no_answer_are_freed(alice: str, end: Callable[[FileRow], FileRow | None]) -> None:
    row = uploading_file(10, owner=alice)
    assert transitions.reserve_bytes(row, 20)

    assert end(row)
    assert usage(alice) == (0, 0)


def test_a_transition_of_an_old_attempt_changes_no_usage(alice: str) -> None:
    row = claim(pending_row(5, owner=alice))

    assert not transitions.set_error(row._replace(attempt=2), "storage-denied")
    assert usage(alice) == (5, 1)


def test_an_exceeded_quota_inserts_no_row_and_reports_the_numbers(alice: str) -> None:
    api_keys.set_quotas(alice, quota_bytes=9)
    pending_row(5, owner=alice)

    with pytest.raises(QuotaExceeded) as raised:
        pending_row(5, owner=alice)
    assert raised.value.fields == {"quota_bytes": 9, "used_bytes": 5, "quota_files": None, "used_files": 1}
    assert len(queries.page(alice, 9)) == 1


@pytest.mark.parametrize("quota", [{"quota_files": 3}, {"quota_bytes": 15}])
def test_concurrent_uploads_never_exceed_a_quota(app: Flask, alice: str, quota: dict[str, int]) -> None:
    api_keys.set_quotas(alice, **quota)

    assert accept_concurrently(app, alice) == 3
    assert usage(alice) == (15, 3)


def test_a_file_without_an_owner_has_no_quota(app: Flask) -> None:
    row = uploading_file(5)

    assert transitions.set_error(row, "storage-denied")


def test_remaining_quota_is_none_if_unlimited_and_an_error_if_exceeded(alice: str) -> None:
    assert storage_quota.unreserved_allowance(alice) is None
    api_keys.set_quotas(alice, quota_bytes=5, quota_files=1)
    reservation = storage_quota.unreserved_allowance(alice)
    assert reservation is not None
    reservation.check(5)
    with pytest.raises(QuotaExceeded):
        reservation.check(6)
    pending_row(1, owner=alice)
    with pytest.raises(QuotaExceeded):
        storage_quota.unreserved_allowance(alice)


def test_a_discarded_file_counts_for_nothing(app: Flask, alice: str) -> None:
    row = uploading_file(9, owner=alice)
    assert usage(alice) == (9, 1)

    assert transitions.set_error_and_deleted(row, "too-many-files")
    assert usage(alice) == (0, 0)
