"""The sweep over files in ERROR: they stay for a while, and there are never more than so many of one owner."""

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
from models import File
from services import current_services
from sweep import reclaim
from sweep.reclaim import sweep_deleted, sweep_failed
from sweep.report import Report
from tests.fakes import reload, services_of
from tests.sweep.conftest import accepted, cleaned, held


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    """A file in ERROR stays 100 s, its bytes (FAILED_RETENTION) 50."""
    return settings | {"FAILED_ROW_RETENTION": "100"}


def failed(mode: file.Mode = "normal", owner: str | None = None) -> File:
    if mode != "normal":
        row = held(mode, 30)
    else:
        row = file.new_file("a.bin", "application/octet-stream", mode, owner=owner)
        file.insert_claimed(row, 7)
    assert transitions.fail(row, "incomplete-body")
    return row


def later(seconds: float, *rows: File) -> None:
    """Let so much time pass for these files, by the database's clock."""
    for row in rows:
        ended = text("UPDATE files SET updated_at = updated_at - :seconds WHERE id = :id RETURNING id")
        assert engine.execute(ended, {"seconds": seconds, "id": row.id})


def swept(*, dry: bool = False) -> Report:
    report = Report(dry)
    sweep_failed(report)
    sweep_deleted(report)
    return report


def rows(of: str | None = None) -> list[str]:
    return [row.id for row in queries.page(of, 100, newest_first=False)]


class TestTime:
    def test_a_file_in_error_stays_for_its_time_and_then_all_of_it_goes(self, app: Flask) -> None:
        young, old = failed(), failed()
        current_services().storage.put(old.key, iter([b"left"]), content_type="text/plain")
        later(99, young)
        later(101, old)
        report = swept()

        assert (report.counts["failed_removed"], report.counts["removed"]) == (1, 1)
        assert rows() == [young.id]
        assert set(queries.get_many([young.id, old.id])) == {young.id}
        assert [stat.key for stat in current_services().storage.list_objects("")] == []

    @pytest.mark.parametrize("mode", ["async", "celery"])
    def test_its_row_stays_as_long_as_its_bytes(self, app: Flask, mode: file.Mode) -> None:
        vars(app.config["FERRY"])["failed_retention"] = 1000
        row = failed(mode)
        later(999, row)
        swept()
        cleaned()
        assert current_services().spool.has(reload(row).id)
        assert transitions.retry(reload(row))

        again = failed(mode)
        later(1001, again)
        swept()
        assert rows() == [row.id]
        assert not current_services().spool.has(again.id)

    @pytest.mark.parametrize("mode", ["normal", "async"])
    def test_files_in_other_states_stay(self, app: Flask, mode: file.Mode) -> None:
        stored = held(mode, 30)
        transitions.complete(stored, url="u", size=0, sha256="0" * 64)
        stay = [stored, held(mode, 30), *([accepted(mode)] if mode != "normal" else [])]
        later(10_000, *stay)

        assert swept().found == []
        assert set(rows()) == {row.id for row in stay}

    def test_one_that_is_tried_again_just_then_stays(self, app: Flask) -> None:
        row = failed("async")
        later(101, row)
        [seen] = queries.failed(9, 100, 50)
        assert transitions.retry(reload(row))

        assert not transitions.delete_failed(seen)
        assert reload(row).upload_status == "PENDING"
        assert not transitions.delete_failed(reload(row))

    def test_one_that_was_tried_and_failed_again_is_another(self, app: Flask) -> None:
        row = failed("async")
        [seen] = queries.failed(9, -1, -1)
        assert transitions.retry(row)
        assert transitions.claim(row, 30)
        assert transitions.fail(row, "storage-denied")

        assert not transitions.delete_failed(seen)

    def test_a_dry_run_changes_nothing(self, app: Flask) -> None:
        row = failed()
        later(101, row)

        assert swept(dry=True).counts["failed_removed"] == 1
        assert rows() == [row.id]


class TestNumber:
    @pytest.fixture(autouse=True)
    def _at_most_three(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reclaim, "_MOST_FAILED", 3)

    @pytest.mark.parametrize("owner", ["alice", None])
    def test_the_oldest_of_an_owner_go_and_all_else_stays(self, app: Flask, owner: str | None) -> None:
        for name in ("alice", "bob"):
            api_keys.create(name, api_keys.SCOPES, None)
        others = {other: [failed(owner=other) for _ in range(3)] for other in {"alice", "bob", None} - {owner}}
        mine = [failed(owner=owner) for _ in range(8)]
        stored = file.new_file("a", "text/plain", "normal", owner=owner)
        file.insert_claimed(stored, 0)
        transitions.complete(stored, url="u", size=0, sha256="0" * 64)
        report = swept()

        assert report.counts["failed_forgotten"] == 1
        assert rows(owner) == [row.id for row in [*mine[-3:], stored]]
        assert all(rows(other) == [row.id for row in kept] for other, kept in others.items())
        assert swept().found == []

    def test_those_that_can_be_tried_again_do_not_count(self, app: Flask) -> None:
        waiting = [failed("async") for _ in range(5)]
        gone = [failed() for _ in range(3)]
        assert swept().found == []

        later(51, *waiting[:2])
        swept()
        assert set(rows()) == {row.id for row in [*waiting[2:], *gone]}

    def test_uploads_that_are_broken_off_leave_no_rows_without_end(self, app: Flask, client: FlaskClient) -> None:
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

    def test_a_dry_run_forgets_nothing(self, app: Flask) -> None:
        made = [failed() for _ in range(5)]

        assert swept(dry=True).counts["failed_forgotten"] == 1
        assert rows() == [row.id for row in made]


def ids(client: FlaskClient, key: dict[str, str]) -> Sequence[str]:
    return [each["id"] for each in client.get("/files?status=ERROR", headers=key).get_json()["files"]]
