"""The sweep over rows: abandoned files are reclaimed, due ones dispatched once, failed ones can be retried."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import uuid_utils
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

import file
from database import engine, locks
from lifecycle import attempts, transitions
from models import File, UploadStatus
from services import current_services
from storage.base import Stat, StorageUnavailable
from sweep.report import KINDS
from sweep.sweeper import Sweeper
from tests.fakes import FailingStorage, reload
from tests.sweep.conftest import BODY, EXPIRED, claimed, pending, sweep


class TestRows:
    @pytest.mark.parametrize("mode", ["async", "celery"])
    def test_an_abandoned_file_is_reclaimed_and_dispatched(self, app: Flask, mode: file.Mode) -> None:
        row = claimed(mode, EXPIRED)
        dispatched: list[str] = []
        report = sweep(lambda row: dispatched.append(row.id))

        assert reload(row).upload_status == UploadStatus.PENDING
        assert dispatched == [row.id]
        assert (report.counts["reclaimed"], report.counts["dispatched"]) == (1, 1)

    def test_an_abandoned_file_of_normal_mode_fails(self, app: Flask) -> None:
        row = claimed("normal", EXPIRED)
        sweep()

        assert (reload(row).upload_status, reload(row).error) == (UploadStatus.ERROR, "server-stopped")

    @pytest.mark.parametrize("mode", ["normal", "async", "celery"])
    def test_a_file_under_a_lease_is_left_alone(self, app: Flask, mode: file.Mode) -> None:
        row = claimed(mode, 30)

        assert sweep().found == []
        assert reload(row).attempt == 1

    def test_a_file_that_crashes_its_worker_fails_after_max_attempts(self, app: Flask) -> None:
        row = pending()
        for _ in range(5):
            assert transitions.claim(row, EXPIRED)
            sweep()

        assert (reload(row).upload_status, reload(row).error) == (UploadStatus.ERROR, "attempts-exhausted")

    def test_a_redelivered_task_gives_it_no_more_attempts(self, app: Flask) -> None:
        row = pending("celery")
        for _ in range(5):
            assert transitions.claim(row, EXPIRED)
        file.upload_file(row.id)

        assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.ERROR, 5)

    def test_the_previous_worker_can_no_longer_change_it(self, app: Flask) -> None:
        row = claimed("async", EXPIRED)
        old = reload(row)
        sweep()
        assert transitions.claim(reload(row), 30)

        assert not transitions.complete(old, url="u", size=1, sha256="0" * 64)
        assert not transitions.fail(old, "storage-denied")
        assert not transitions.requeue(old, "storage-unavailable", 0)
        assert not transitions.fail_abandoned(old, "server-stopped")

    def test_a_pending_file_is_dispatched_only_when_it_is_due(self, app: Flask) -> None:
        row = pending()
        assert transitions.claim(row, 30)
        assert transitions.requeue(row, "storage-unavailable", 1000)

        assert sweep().found == []
        assert transitions.claim(row, 30)
        assert transitions.requeue(row, "storage-unavailable", 0)
        assert sweep().found == [("dispatched", row.id)]

    def test_a_dispatched_file_is_not_dispatched_again_at_once(self, app: Flask) -> None:
        """A worker with a long queue must not find a file in it once for every sweep."""
        row = claimed("celery", 30)
        assert transitions.requeue(row, "relay-lost", 0)

        assert sweep().counts["dispatched"] == 1
        assert sweep().counts["dispatched"] == 0

    def test_an_unclaimed_file_is_dispatched_again_within_an_hour(self, app: Flask) -> None:
        row = claimed("celery", 30)
        assert transitions.requeue(row, "relay-lost", 0)
        engine.execute(text("UPDATE files SET updated_at = updated_at - 90000"))
        assert sweep().counts["dispatched"] == 1

        assert 3500 < (reload(row).due_at or 0) - engine.now() < 3700

    def test_one_of_two_sweeps_dispatches(self, app: Flask) -> None:
        row = claimed("celery", 30)
        assert transitions.requeue(row, "relay-lost", 0)
        first, second = reload(row), reload(row)

        assert transitions.reserve_dispatch(first, 30)
        assert not transitions.reserve_dispatch(second, 30)

    def test_a_file_in_another_hosts_spool_is_left_to_it(self, app: Flask) -> None:
        row = file.new_file("a.bin", "text/plain", "async")
        row.spool = "another spool"
        transitions.insert(row, EXPIRED)

        assert sweep().found == []

    def test_a_dry_run_changes_nothing(self, app: Flask) -> None:
        rows = [claimed(mode, EXPIRED) for mode in ("normal", "async")]
        report = sweep(dry=True)

        assert report.counts["ended"] == report.counts["reclaimed"] == 1
        assert [reload(row).upload_status for row in rows] == ["PROCESSING", "PROCESSING"]


class TestAlreadyStored:
    def test_a_file_whose_object_exists_is_completed_without_another_upload(self, app: Flask) -> None:
        row = claimed("async", EXPIRED)
        current_services().storage.put(row.key, iter([BODY]), content_type="text/plain")
        current_services().storage.put = None  # type: ignore[assignment, method-assign]
        sweep(lambda row: file.upload_file(row.id))

        assert (reload(row).upload_status, reload(row).size, reload(row).sha256) == ("COMPLETE", row.size, row.sha256)
        assert list(current_services().spool.files()) == []

    def test_the_version_of_the_object_is_recorded(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        row = claimed("async", EXPIRED)
        monkeypatch.setattr(current_services().storage, "matches", lambda key, size, _: Stat(key, size, "", "v7"))
        sweep(lambda row: file.upload_file(row.id))

        assert (reload(row).upload_status, reload(row).version_id) == ("COMPLETE", "v7")

    @pytest.mark.parametrize("there", [b"", b"bytes that must not be lOst", BODY + b"!"])
    def test_an_object_with_other_bytes_is_replaced(self, app: Flask, there: bytes) -> None:
        row = claimed("async", EXPIRED)
        current_services().storage.put(row.key, iter([there]), content_type="text/plain")
        sweep(lambda row: file.upload_file(row.id))

        assert reload(row).upload_status == UploadStatus.COMPLETE
        assert b"".join(current_services().storage.open(row.key)) == BODY

    def test_an_unavailable_storage_costs_an_attempt(
        self, app: Flask, objects: FailingStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = claimed("async", EXPIRED)
        objects.error = StorageUnavailable()
        monkeypatch.setattr(objects, "matches", lambda *_: (_ for _ in ()).throw(StorageUnavailable()))
        sweep(lambda row: file.upload_file(row.id))

        assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.PENDING, 2)
        assert reload(row).error == "storage-unavailable"

    def test_a_file_without_an_attempt_is_not_looked_up(self, app: Flask) -> None:
        assert not attempts.recover_if_stored(pending())


class TestRetry:
    def test_a_failed_file_can_be_retried_with_all_attempts(
        self, app: Flask, client: FlaskClient, objects: FailingStorage
    ) -> None:
        objects.error = StorageUnavailable()
        row = pending()
        for _ in range(5):
            file.upload_file(row.id)
        assert reload(row).upload_status == UploadStatus.ERROR

        answer = client.post(f"/files/{row.id}/retry")
        assert (answer.status_code, answer.get_json()["status"], answer.get_json()["error"]) == (202, "PENDING", None)
        assert answer.headers["Location"] == f"/files/{row.id}"
        sweep(lambda row: file.upload_file(row.id))
        assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.PENDING, 6)
        objects.error = None
        file.upload_file(row.id)
        assert reload(row).upload_status == UploadStatus.COMPLETE

    @pytest.mark.parametrize("ended", [False, True])
    def test_a_file_that_has_not_failed_cannot_be_retried(self, app: Flask, client: FlaskClient, ended: bool) -> None:
        row = pending()
        if ended:
            file.upload_file(row.id)
        answer = client.post(f"/files/{row.id}/retry")

        assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/not-failed")

    @pytest.mark.parametrize("mode", ["normal", "async"])
    def test_a_file_without_bytes_cannot_be_retried(self, app: Flask, client: FlaskClient, mode: file.Mode) -> None:
        row = claimed(mode, 30)
        assert transitions.fail(row, "storage-denied")
        current_services().spool.delete(row.id)
        answer = client.post(f"/files/{row.id}/retry")

        assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/bytes-gone")
        assert reload(row).upload_status == UploadStatus.ERROR

    def test_an_unknown_file_is_not_found(self, client: FlaskClient) -> None:
        assert client.post(f"/files/{uuid_utils.uuid7()}/retry").status_code == 404


class TestCommand:
    def run(self, app: Flask, *args: str) -> Any:
        ran = app.test_cli_runner().invoke(args=["sweep", *args])
        assert ran.exit_code == 0, ran.output
        return ran.output

    def test_it_stores_pending_files_without_web_service_or_redis(self, app: Flask) -> None:
        rows = [claimed("async", EXPIRED), claimed("celery", EXPIRED)]
        output = json.loads(self.run(app, "--once", "--json"))

        assert [reload(row).upload_status for row in rows] == ["COMPLETE", "COMPLETE"]
        assert (output["dry_run"], output["counts"]["dispatched"], len(output["found"])) == (False, 2, 4)

    def test_a_dry_run_only_reports(self, app: Flask) -> None:
        row = claimed("async", EXPIRED)
        output = self.run(app, "--dry-run")

        assert reload(row).upload_status == UploadStatus.PROCESSING
        assert f"     1  {KINDS['reclaimed']}\n" in output
        assert list(current_services().storage.list_objects()) == []


def make_sweeper(app: Flask, dispatch: Callable[[File], None], every: float = 30) -> Sweeper:
    return Sweeper(
        app,
        dispatch,
        every=every,
        uploads_every=1000,
        objects_every=1000,
        requeue_lost=lambda: None,
        requeue_lost_every=1000,
    )


class TestLocks:
    def test_one_process_sweeps_at_a_time(self, app: Flask) -> None:
        dispatched: list[str] = []
        sweepers = [make_sweeper(app, lambda row: dispatched.append(row.id)) for _ in range(2)]
        row = pending()
        sweepers[0].run_once()
        assert transitions.claim(row, EXPIRED)
        sweepers[1].run_once()
        assert dispatched == []
        sweepers[0].run_once()
        assert dispatched == [row.id]

    def test_a_stopped_sweep_dispatches_nothing(self, app: Flask) -> None:
        dispatched: list[str] = []
        sweeper = make_sweeper(app, lambda row: dispatched.append(row.id))
        sweeper.stop()
        claimed("async", EXPIRED)
        sweeper.run_once()

        assert dispatched == []

    def test_a_failed_sweep_is_repeated(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        sweeper = make_sweeper(app, lambda row: None, 0.01)
        runs: list[int] = []

        def run_once() -> None:
            runs.append(1)
            if len(runs) == 3:
                sweeper._stop.set()
            raise StorageUnavailable if len(runs) == 1 else RuntimeError

        monkeypatch.setattr(sweeper, "run_once", run_once)
        sweeper.start()
        assert sweeper._thread is not None
        sweeper._thread.join(10)
        assert len(runs) == 3

    def test_a_lock_has_one_holder_until_it_expires(self, app: Flask) -> None:
        assert locks.acquire("a", "me", 30)
        assert locks.acquire("a", "me", 30)
        assert not locks.acquire("a", "you", 30)
        assert locks.acquire("b", "you", -1)
        assert locks.acquire("b", "me", 30)
        assert locks.current_holder("b") == "me"
        assert locks.current_holder("c") is None
