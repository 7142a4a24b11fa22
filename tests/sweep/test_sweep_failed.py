"""The sweep over files in ERROR: they are removed after a retention, or beyond a number for each owner."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

import file
from auth import api_keys
from database import engine
from lifecycle import queries, transitions
from models import FileRow
from services import current_services
from sweep import rows as row_sweep
from sweep.report import Report
from sweep.rows import sweep_deleted, sweep_failed
from tests.fakes import services_of
from tests.harness.factories import (
    claim,
    claimed_file,
    complete,
    complete_row,
    failed_file,
    pending_file,
    reload,
)
from tests.sweep.conftest import sweep_orphans


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    """A file in ERROR stays 100 s, its bytes (FAILED_RETENTION) 50."""
    return settings | {"FAILED_ROW_RETENTION": "100"}


def age(seconds: float, *rows: FileRow) -> None:
    """Let `seconds` pass since these files last changed, by the database's clock."""
    for row in rows:
        ended = text("UPDATE files SET updated_at = updated_at - :seconds WHERE id = :id RETURNING id")
        assert engine.execute(ended, {"seconds": seconds, "id": row.id})


def sweep(*, dry: bool = False) -> Report:
    report = Report(dry)
    sweep_failed(report)
    sweep_deleted(report)
    return report


def rows(owner: str | None = None) -> list[str]:
    return [row.id for row in queries.page(owner, 100, newest_first=False)]


class TestRetention:
    def test_a_file_in_error_is_removed_with_its_object_after_its_retention(self, app: Flask) -> None:
        young, old = failed_file(), failed_file()
        current_services().storage.put(old.key, iter([b"left"]), content_type="text/plain")
        age(70, young)
        age(130, old)
        report = sweep()

        assert (report.counts["failed_removed"], report.counts["removed"]) == (1, 1)
        assert rows() == [young.id]
        assert set(queries.get_many([young.id, old.id])) == {young.id}
        assert [stat.key for stat in current_services().storage.list_objects("")] == []

    @pytest.mark.parametrize("mode", ["normal", "async"])
    def test_files_of_another_status_stay(self, app: Flask, mode: file.Mode) -> None:
        stored = claimed_file(mode)
        complete(stored, 0)
        stay = [stored, claimed_file(mode), *([pending_file(mode)] if mode != "normal" else [])]
        age(10_000, *stay)

        assert sweep().found == []
        assert set(rows()) == {row.id for row in stay}

    def test_a_file_retried_during_the_sweep_stays(self, app: Flask) -> None:
        row = failed_file("async")
        age(130, row)
        [seen] = queries.failed(9, 100, 50)
        assert transitions.set_pending(reload(row))

        assert not transitions.mark_failed_deleted(seen)
        assert reload(row).upload_status == "PENDING"
        assert not transitions.mark_failed_deleted(reload(row))

    def test_a_file_retried_and_failed_during_the_sweep_stays(self, app: Flask) -> None:
        row = failed_file("async")
        [seen] = queries.failed(9, -1, -1)
        assert transitions.set_pending(row)
        row = claim(row)
        assert transitions.set_error(row, "storage-denied")

        assert not transitions.mark_failed_deleted(seen)

    def test_a_dry_run_keeps_expired_rows(self, app: Flask) -> None:
        row = failed_file()
        age(130, row)

        assert sweep(dry=True).counts["failed_removed"] == 1
        assert rows() == [row.id]


class TestLongerSpoolRetention:
    @pytest.fixture
    def settings(self, settings: dict[str, str]) -> dict[str, str]:
        return settings | {"FAILED_RETENTION": "1000"}

    @pytest.mark.parametrize("mode", ["async", "celery"])
    def test_the_row_of_a_failed_file_is_kept_as_long_as_its_bytes(self, app: Flask, mode: file.Mode) -> None:
        row = failed_file(mode)
        age(999, row)
        sweep()
        sweep_orphans()
        assert current_services().spool.has(reload(row).id)
        assert transitions.set_pending(reload(row))

        again = failed_file(mode)
        age(1001, again)
        sweep()
        assert rows() == [row.id]
        assert not current_services().spool.has(again.id)


class TestLimit:
    @pytest.fixture(autouse=True)
    def _at_most_three(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(row_sweep, "_MAX_FAILED", 3)

    @pytest.mark.parametrize("owner", ["alice", None])
    def test_the_oldest_of_an_owner_over_the_limit_are_removed(self, app: Flask, owner: str | None) -> None:
        for name in ("alice", "bob"):
            api_keys.create(name, api_keys.SCOPES, None)
        others = {other: [failed_file(owner=other) for _ in range(3)] for other in {"alice", "bob", None} - {owner}}
        own = [failed_file(owner=owner) for _ in range(8)]
        stored = complete_row(0, owner=owner)
        report = sweep()

        assert report.counts["failed_purged"] == 1
        assert rows(owner) == [row.id for row in [*own[-3:], stored]]
        assert all(rows(other) == [row.id for row in expected] for other, expected in others.items())
        assert sweep().found == []

    def test_files_that_can_be_retried_do_not_count(self, app: Flask) -> None:
        waiting = [failed_file("async") for _ in range(5)]
        gone = [failed_file() for _ in range(3)]
        assert sweep().found == []

        age(80, *waiting[:2])
        sweep()
        assert set(rows()) == {row.id for row in [*waiting[2:], *gone]}

    def test_aborted_uploads_leave_a_bounded_number_of_rows(self, app: Flask, client: FlaskClient) -> None:
        key = {"Authorization": f"Bearer {api_keys.create('alice', api_keys.SCOPES, None, quota_files=3)}"}
        for _ in range(10):
            answer = client.post(
                "/normal_upload?name=a",
                data=bytes(8500),
                content_type="application/pdf",
                headers=key,
                environ_overrides={"CONTENT_LENGTH": "9000"},
            )
            assert answer.status_code == 400
            services_of(app).sweeper.run_once()

        assert len(ids(client, key)) == 3

    def test_a_dry_run_keeps_rows_over_the_limit(self, app: Flask) -> None:
        made = [failed_file() for _ in range(5)]

        assert sweep(dry=True).counts["failed_purged"] == 1
        assert rows() == [row.id for row in made]


def ids(client: FlaskClient, key: dict[str, str]) -> Sequence[str]:
    return [each["id"] for each in client.get("/files?status=ERROR", headers=key).get_json()["files"]]
