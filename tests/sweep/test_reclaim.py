"""The sweep over rows: what nobody works on is taken up, once, and what failed can be asked for again."""

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
from tests.fakes import FailingStorage, reload, replace_services, services_of
from tests.sweep.conftest import BODY, GONE, accepted, held, swept


class TestRows:
    @pytest.mark.parametrize("mode", ["async", "celery"])
    def test_a_file_whose_holder_fell_silent_is_taken_back_and_handed_out(self, app: Flask, mode: file.Mode) -> None:
        row = held(mode, GONE)
        given: list[str] = []
        report = swept(lambda row: given.append(row.id))

        assert reload(row).upload_status == UploadStatus.PENDING
        assert given == [row.id]
        assert (report.counts["taken_back"], report.counts["handed_out"]) == (1, 1)

    def test_in_normal_mode_the_bytes_went_with_the_holder_and_the_file_says_so(self, app: Flask) -> None:
        row = held("normal", GONE)
        swept()

        assert (reload(row).upload_status, reload(row).error) == (UploadStatus.ERROR, "server-stopped")

    @pytest.mark.parametrize("mode", ["normal", "async", "celery"])
    def test_a_file_that_is_held_is_left_alone(self, app: Flask, mode: file.Mode) -> None:
        row = held(mode, 30)

        assert swept().found == []
        assert reload(row).attempt == 1

    def test_a_file_that_kills_whoever_takes_it_ends_after_so_many_attempts(self, app: Flask) -> None:
        row = accepted()
        for _ in range(5):
            assert transitions.claim(row, GONE)
            swept()

        assert (reload(row).upload_status, reload(row).error) == (UploadStatus.ERROR, "attempts-exhausted")

    def test_not_even_a_task_gives_it_one_more_attempt(self, app: Flask) -> None:
        row = accepted("celery")
        for _ in range(5):
            assert transitions.claim(row, GONE)
        file.upload_file(row.id)

        assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.ERROR, 5)

    def test_the_old_holder_can_do_nothing_more(self, app: Flask) -> None:
        row = held("async", GONE)
        old = reload(row)
        swept()
        assert transitions.claim(reload(row), 30)

        assert not transitions.complete(old, url="u", size=1, sha256="0" * 64)
        assert not transitions.fail(old, "storage-denied")
        assert not transitions.requeue(old, "storage-unavailable", 0)
        assert not transitions.fail_abandoned(old, "server-stopped")

    def test_a_waiting_file_is_handed_out_only_when_it_is_due(self, app: Flask) -> None:
        row = accepted()
        assert transitions.claim(row, 30)
        assert transitions.requeue(row, "storage-unavailable", 1000)

        assert swept().found == []
        assert transitions.claim(row, 30)
        assert transitions.requeue(row, "storage-unavailable", 0)
        assert swept().found == [("handed_out", row.id)]

    def test_what_was_handed_out_is_not_handed_out_again_at_once(self, app: Flask) -> None:
        """A worker with a long queue must not find a file in it once for every look."""
        row = held("celery", 30)
        assert transitions.requeue(row, "relay-lost", 0)

        assert swept().counts["handed_out"] == 1
        assert swept().counts["handed_out"] == 0

    def test_what_nobody_claims_is_handed_out_again_within_an_hour(self, app: Flask) -> None:
        row = held("celery", 30)
        assert transitions.requeue(row, "relay-lost", 0)
        engine.execute(text("UPDATE files SET updated_at = updated_at - 90000"))
        assert swept().counts["handed_out"] == 1

        assert 3500 < (reload(row).due_at or 0) - engine.now() < 3700

    def test_of_two_sweeps_one_hands_out(self, app: Flask) -> None:
        row = held("celery", 30)
        assert transitions.requeue(row, "relay-lost", 0)
        first, second = reload(row), reload(row)

        assert transitions.reserve_dispatch(first, 30)
        assert not transitions.reserve_dispatch(second, 30)

    def test_a_file_whose_bytes_are_on_another_host_is_left_to_that_host(self, app: Flask) -> None:
        row = file.new_file("a.bin", "text/plain", "async")
        row.spool = "another spool"
        transitions.insert(row, GONE)

        assert swept().found == []

    def test_a_dry_run_changes_nothing(self, app: Flask) -> None:
        rows = [held(mode, GONE) for mode in ("normal", "async")]
        report = swept(dry=True)

        assert report.counts["ended"] == report.counts["taken_back"] == 1
        assert [reload(row).upload_status for row in rows] == ["PROCESSING", "PROCESSING"]


class TestStoredAlready:
    def test_a_file_whose_object_is_there_is_completed_without_a_second_upload(self, app: Flask) -> None:
        row = held("async", GONE)
        current_services().storage.put(row.key, iter([BODY]), content_type="text/plain")
        current_services().storage.put = None  # type: ignore[assignment, method-assign]
        swept(lambda row: file.upload_file(row.id))

        assert (reload(row).upload_status, reload(row).size, reload(row).sha256) == ("COMPLETE", row.size, row.sha256)
        assert list(current_services().spool.files()) == []

    def test_the_version_that_was_found_is_kept(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        row = held("async", GONE)
        monkeypatch.setattr(current_services().storage, "matches", lambda key, size, _: Stat(key, size, "", "v7"))
        swept(lambda row: file.upload_file(row.id))

        assert (reload(row).upload_status, reload(row).version_id) == ("COMPLETE", "v7")

    @pytest.mark.parametrize("there", [b"", b"bytes that must not be lOst", BODY + b"!"])
    def test_other_bytes_are_no_proof(self, app: Flask, there: bytes) -> None:
        row = held("async", GONE)
        current_services().storage.put(row.key, iter([there]), content_type="text/plain")
        swept(lambda row: file.upload_file(row.id))

        assert reload(row).upload_status == UploadStatus.COMPLETE
        assert b"".join(current_services().storage.open(row.key)) == BODY

    def test_a_storage_that_can_not_be_asked_costs_an_attempt_as_always(self, app: Flask) -> None:
        row = held("async", GONE)
        replace_services(app, storage=FailingStorage(StorageUnavailable()))
        services_of(app).storage.matches = lambda *_: (_ for _ in ()).throw(StorageUnavailable())
        swept(lambda row: file.upload_file(row.id))

        assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.PENDING, 2)
        assert reload(row).error == "storage-unavailable"

    def test_what_was_never_tried_is_not_looked_for(self, app: Flask) -> None:
        assert not attempts.recover_if_stored(accepted())


class TestRetry:
    def test_a_failed_file_can_be_tried_again_with_all_its_attempts(self, app: Flask, client: FlaskClient) -> None:
        failing = FailingStorage(StorageUnavailable())
        replace_services(app, storage=failing)
        row = accepted()
        for _ in range(5):
            file.upload_file(row.id)
        assert reload(row).upload_status == UploadStatus.ERROR

        answer = client.post(f"/files/{row.id}/retry")
        assert (answer.status_code, answer.get_json()["status"], answer.get_json()["error"]) == (202, "PENDING", None)
        assert answer.headers["Location"] == f"/files/{row.id}"
        swept(lambda row: file.upload_file(row.id))
        assert (reload(row).upload_status, reload(row).attempt) == (UploadStatus.PENDING, 6)
        failing.error = None
        file.upload_file(row.id)
        assert reload(row).upload_status == UploadStatus.COMPLETE

    @pytest.mark.parametrize("ended", [False, True])
    def test_only_a_failed_file_can(self, app: Flask, client: FlaskClient, ended: bool) -> None:
        row = accepted()
        if ended:
            file.upload_file(row.id)
        answer = client.post(f"/files/{row.id}/retry")

        assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/not-failed")

    @pytest.mark.parametrize("mode", ["normal", "async"])
    def test_not_without_its_bytes(self, app: Flask, client: FlaskClient, mode: file.Mode) -> None:
        row = held(mode, 30)
        assert transitions.fail(row, "storage-denied")
        current_services().spool.delete(row.id)
        answer = client.post(f"/files/{row.id}/retry")

        assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/bytes-gone")
        assert reload(row).upload_status == UploadStatus.ERROR

    def test_nobody_knows_an_unknown_one(self, client: FlaskClient) -> None:
        assert client.post(f"/files/{uuid_utils.uuid7()}/retry").status_code == 404


class TestCommand:
    def run(self, app: Flask, *args: str) -> Any:
        ran = app.test_cli_runner().invoke(args=["sweep", *args])
        assert ran.exit_code == 0, ran.output
        return ran.output

    def test_it_stores_what_waits_without_any_service(self, app: Flask) -> None:
        rows = [held("async", GONE), held("celery", GONE)]
        told = json.loads(self.run(app, "--once", "--json"))

        assert [reload(row).upload_status for row in rows] == ["COMPLETE", "COMPLETE"]
        assert (told["dry_run"], told["counts"]["handed_out"], len(told["found"])) == (False, 2, 4)

    def test_a_dry_run_only_says_so(self, app: Flask) -> None:
        row = held("async", GONE)
        told = self.run(app, "--dry-run")

        assert reload(row).upload_status == UploadStatus.PROCESSING
        assert f"     1  {KINDS['taken_back']}\n" in told
        assert list(current_services().storage.list_objects()) == []


def sweeper_of(app: Flask, hand_out: Callable[[File], None], every: float = 30) -> Sweeper:
    return Sweeper(
        app, hand_out, every=every, uploads_every=1000, objects_every=1000, recall=lambda: None, recall_every=1000
    )


class TestTurns:
    def test_one_process_has_the_turn_at_a_time(self, app: Flask) -> None:
        given: list[str] = []
        sweepers = [sweeper_of(app, lambda row: given.append(row.id)) for _ in range(2)]
        row = accepted()
        sweepers[0].run_once()
        assert transitions.claim(row, GONE)
        sweepers[1].run_once()
        assert given == []
        sweepers[0].run_once()
        assert given == [row.id]

    def test_a_sweep_that_is_stopped_hands_nothing_out(self, app: Flask) -> None:
        given: list[str] = []
        sweeper = sweeper_of(app, lambda row: given.append(row.id))
        sweeper.stop()
        held("async", GONE)
        sweeper.run_once()

        assert given == []

    def test_a_sweep_that_fails_goes_on(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        sweeper = sweeper_of(app, lambda row: None, 0.01)
        turns: list[int] = []

        def turn() -> None:
            turns.append(1)
            if len(turns) == 3:
                sweeper._stop.set()
            raise StorageUnavailable if len(turns) == 1 else RuntimeError

        monkeypatch.setattr(sweeper, "run_once", turn)
        sweeper.start()
        assert sweeper._thread is not None
        sweeper._thread.join(10)
        assert len(turns) == 3

    def test_a_lock_is_taken_once_until_its_time_is_over(self, app: Flask) -> None:
        assert locks.acquire("a", "me", 30)
        assert locks.acquire("a", "me", 30)
        assert not locks.acquire("a", "you", 30)
        assert locks.acquire("b", "you", -1)
        assert locks.acquire("b", "me", 30)
        assert locks.current_holder("b") == "me"
        assert locks.current_holder("c") is None
