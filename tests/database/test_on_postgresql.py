"""Transactions of several statements on PostgreSQL, which locks rows and not the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask

import file
from auth import api_keys
from database.engine import now
from lifecycle import queries, transitions
from quotas import storage_quota
from tests.harness.factories import claim, complete_row, pending_row, reload, uploading_file
from tests.lifecycle.test_clocks import set_clock
from tests.quotas.test_storage_quota import accept_concurrently, usage


@pytest.fixture
def app(app_on_postgresql: Flask) -> Flask:
    return app_on_postgresql


@pytest.mark.parametrize("quota", [{"quota_files": 3}, {"quota_bytes": 15}])
def test_concurrent_uploads_never_exceed_a_quota(app: Flask, quota: dict[str, int]) -> None:
    owner = "-".join(quota)
    api_keys.create(owner, ["upload"], None)
    api_keys.set_quotas(owner, **quota)

    assert accept_concurrently(app, owner) == 3
    assert usage(owner) == (15, 3)


def test_concurrent_transitions_count_towards_the_quota_once(app: Flask) -> None:
    api_keys.create("carol", ["upload"], None)
    rows = [uploading_file(10, owner="carol") for _ in range(12)]

    def end(number: int) -> None:
        with app.app_context():
            row = rows[number]
            [
                lambda: transitions.set_complete(row, url="", size=4, sha256="0" * 64),
                lambda: transitions.set_error(row, "x"),
                lambda: transitions.mark_deleted(row),
            ][number % 3]()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(end, range(12)))
    assert usage("carol") == (16, 4)


def test_the_lifecycle_of_a_key(app: Flask) -> None:
    token = api_keys.create("dave", ["read", "upload"], 60)
    id = token.split("_")[1]
    new = api_keys.rotate(id, 60)

    key = api_keys.get_live(id)
    assert key is not None
    assert (key.owner, key.verify(token), key.verify(str(new))) == ("dave", True, True)
    api_keys.record_use(id)
    assert (key.use_recorded, api_keys.get_live(id)) == (False, replace(key, use_recorded=True))
    assert [row.state for row in api_keys.list_keys() if row.id == id] == ["live"]
    assert api_keys.revoke(id)
    assert api_keys.get_live(id) is None


def test_a_deleted_file_is_found_by_the_sweep_only(app: Flask) -> None:
    row = pending_row(expires_in=-5)
    assert [one.id for one in queries.expired(9)] == [row.id]

    row = claim(row)
    transitions.mark_deleted(row)
    assert (queries.get(row.id), queries.page(None, 9, prefix="a"), queries.expired(9)) == (None, [], [])
    assert queries.deleted("", 9, -1) == []
    assert not transitions.set_complete(row, url="", size=1, sha256="")


def test_files_in_error_are_removed_by_age_and_number(app: Flask) -> None:
    api_keys.create("ivan", ["upload"], None)
    rows = [uploading_file(1, owner="ivan") for _ in range(5)]
    for row in rows:
        transitions.set_error(row, "incomplete-body")
    assert [row.id for row in queries.failed(9, -1, -1) if row.owner == "ivan"] == [row.id for row in rows]
    assert queries.failed(9, 60, 60) == []
    assert "ivan" in queries.failed_over_limit(4, 60)
    assert "ivan" not in queries.failed_over_limit(5, 60)

    assert transitions.delete_failed_rows("ivan", 2, 60) == 3
    assert [row.id for row in queries.page("ivan", 9, newest_first=False)] == [row.id for row in rows[3:]]
    assert transitions.mark_failed_deleted(rows[3])
    assert not transitions.mark_failed_deleted(rows[3])
    assert (transitions.delete_failed_rows(None, 10**6, 60), usage("ivan")) == (0, (0, 0))


def test_the_remaining_quota(app: Flask) -> None:
    api_keys.create("erin", ["upload"], None)
    api_keys.set_quotas("erin", quota_bytes=5)

    assert storage_quota.unreserved_allowance("erin") == storage_quota.QuotaAllowance("erin", 5)


def test_files_without_owner_are_adopted_once(app: Flask) -> None:
    for owner in ("gina", "hank"):
        api_keys.create(owner, ["read"], None)
    for _ in range(20):
        complete_row(4)

    def adopt(number: int) -> int:
        with app.app_context():
            return transitions.assign_owner(("gina", "hank")[number % 2], 3)

    with ThreadPoolExecutor(8) as threads:
        adopted = sum(threads.map(adopt, range(16)))
    while more := adopt(0):  # Two that select the same rows adopt them once.
        adopted += more
    assert (adopted, usage("gina")[1] + usage("hank")[1]) == (20, 20)


def test_an_upload_of_unknown_size_reserves_quota_in_steps(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_quota, "RESERVATION_STEP", 10)
    api_keys.create("frank", ["upload"], None)
    api_keys.set_quotas("frank", quota_bytes=34)

    file.store(uploading_file(owner="frank"), iter([b"12345"] * 6))
    assert usage("frank") == (30, 1)


@pytest.mark.parametrize("owner", [None, "iris"])
@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_times_use_the_databases_clock(
    app: Flask, monkeypatch: pytest.MonkeyPatch, owner: str | None, seconds: int
) -> None:
    if owner:
        api_keys.create(owner, ["upload"], None)
    set_clock(monkeypatch, seconds)
    row = uploading_file(1, owner=owner, expires_in=60)
    endless = uploading_file(1, owner=owner)

    assert row.created_at == pytest.approx(now(), abs=5)
    assert row.updated_at == pytest.approx(row.created_at, abs=0.01)
    assert (row.expires_at, endless.expires_at) == (pytest.approx(row.created_at + 60, abs=0.01), None)
    assert reload(row).expires_at == row.expires_at
