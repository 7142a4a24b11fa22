"""The sweep: what is nobody's is taken up or removed, what is somebody's is left alone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uuid_utils
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

import database
import file
import locks
import spool
import storage
from models import File, UploadStatus
from storage.base import Begun, StorageUnavailable
from storage.memory import MemoryStorage
from sweep.files import sweep_files
from sweep.leftovers import MARK, sweep_objects, sweep_spool, sweep_uploads
from sweep.report import KINDS, Report
from sweep.rules import bytes_are_left, id_in, is_spent, made_at, object_is_left, upload_is_left
from sweep.sweeper import Sweeper
from tests.fakes import FailingStorage

GONE = -1.0
"""A lease that has run out."""

BODY = b"bytes that must not be lost"


class Remembering(MemoryStorage):
    """Has uploads in parts that nobody has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.open_uploads: set[Begun] = set()

    def begun(self, prefix: str = "") -> Iterator[Begun]:
        return iter(sorted((each for each in self.open_uploads if each.key.startswith(prefix)), key=str))

    def abort(self, begun: Begun) -> None:
        self.open_uploads.discard(begun)


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return settings | {"SWEEP_GRACE": "100", "SPOOL_KEEP_ERRORS": "50"}


@pytest.fixture
def objects(app: Flask) -> Remembering:
    app.extensions["storage"] = Remembering()
    return app.extensions["storage"]


def accepted(mode: file.Mode = "async") -> File:
    row = file.new("a.bin", "application/octet-stream", mode)
    file.receive(row, iter([BODY]))
    return row


def held(mode: file.Mode, lease: float) -> File:
    """A file of which somebody makes, or made, its first attempt."""
    if mode == "normal":
        row = file.new("a.bin", "application/octet-stream", mode)
        row.accept(lease, held=True)
        return row
    row = accepted(mode)
    assert row.claim(lease)
    return row


def found(row: File) -> File:
    other = File.find(row.id)
    assert other is not None
    return other


def swept(hand_out: Callable[[File], None] = lambda row: None, *, dry: bool = False) -> Report:
    report = Report(dry)
    sweep_files(report, hand_out)
    return report


def cleaned(*, dry: bool = False) -> Report:
    report = Report(dry)
    sweep_spool(report)
    sweep_uploads(report)
    sweep_objects(report)
    return report


def aged(row: File, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `seconds` pass for everything whose age the sweep asks for."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)
    monkeypatch.setattr(database, "now", lambda: now + seconds)


class TestRows:
    @pytest.mark.parametrize("mode", ["async", "celery"])
    def test_a_file_whose_holder_fell_silent_is_taken_back_and_handed_out(self, app: Flask, mode: file.Mode) -> None:
        row = held(mode, GONE)
        given: list[str] = []
        report = swept(lambda row: given.append(row.id))

        assert found(row).upload_status == UploadStatus.PENDING
        assert given == [row.id]
        assert (report.counts["taken_back"], report.counts["handed_out"]) == (1, 1)

    def test_in_normal_mode_the_bytes_went_with_the_holder_and_the_file_says_so(self, app: Flask) -> None:
        row = held("normal", GONE)
        swept()

        assert (found(row).upload_status, found(row).error) == (UploadStatus.ERROR, "server-stopped")

    @pytest.mark.parametrize("mode", ["normal", "async", "celery"])
    def test_a_file_that_is_held_is_left_alone(self, app: Flask, mode: file.Mode) -> None:
        row = held(mode, 30)

        assert swept().found == []
        assert found(row).attempt == 1

    def test_a_file_that_kills_whoever_takes_it_ends_after_so_many_attempts(self, app: Flask) -> None:
        row = accepted()
        for _ in range(5):
            assert row.claim(GONE)
            swept()

        assert (found(row).upload_status, found(row).error) == (UploadStatus.ERROR, "attempts-exhausted")

    def test_not_even_a_task_gives_it_one_more_attempt(self, app: Flask) -> None:
        row = accepted("celery")
        for _ in range(5):
            assert row.claim(GONE)
        file.upload_file(row.id)

        assert (found(row).upload_status, found(row).attempt) == (UploadStatus.ERROR, 5)

    def test_the_old_holder_can_do_nothing_more(self, app: Flask) -> None:
        row = held("async", GONE)
        old = found(row)
        swept()
        assert found(row).claim(30)

        assert not old.complete(url="u", size=1, sha256="0" * 64)
        assert not old.fail("storage-denied")
        assert not old.give_back("storage-unavailable", 0)
        assert not old.drop("server-stopped")

    def test_a_waiting_file_is_handed_out_only_when_it_is_due(self, app: Flask) -> None:
        row = accepted()
        assert row.claim(30)
        assert row.give_back("storage-unavailable", 1000)

        assert swept().found == []
        assert row.claim(30)
        assert row.give_back("storage-unavailable", 0)
        assert swept().found == [("handed_out", row.id)]

    def test_what_was_handed_out_is_not_handed_out_again_at_once(self, app: Flask) -> None:
        """A worker with a long queue must not find a file in it once for every look."""
        row = held("celery", 30)
        assert row.give_back("relay-lost", 0)

        assert swept().counts["handed_out"] == 1
        assert swept().counts["handed_out"] == 0

    def test_what_nobody_claims_is_handed_out_again_within_an_hour(self, app: Flask) -> None:
        row = held("celery", 30)
        assert row.give_back("relay-lost", 0)
        with database.writing() as connection:
            connection.execute(text("UPDATE files SET updated_at = updated_at - 90000"))
        assert swept().counts["handed_out"] == 1

        assert 3500 < (found(row).due_at or 0) - database.now() < 3700

    def test_of_two_sweeps_one_hands_out(self, app: Flask) -> None:
        row = held("celery", 30)
        assert row.give_back("relay-lost", 0)
        first, second = found(row), found(row)

        assert first.hand_out(30)
        assert not second.hand_out(30)

    def test_a_file_whose_bytes_are_on_another_host_is_left_to_that_host(self, app: Flask) -> None:
        row = file.new("a.bin", "text/plain", "async")
        row.spool = "another spool"
        row.accept(GONE)

        assert swept().found == []

    def test_a_dry_run_changes_nothing(self, app: Flask) -> None:
        rows = [held(mode, GONE) for mode in ("normal", "async")]
        report = swept(dry=True)

        assert report.counts["ended"] == report.counts["taken_back"] == 1
        assert [found(row).upload_status for row in rows] == ["PROCESSING", "PROCESSING"]


class TestStoredAlready:
    def test_a_file_whose_object_is_there_is_completed_without_a_second_upload(self, app: Flask) -> None:
        row = held("async", GONE)
        storage.of().put(row.key, iter([BODY]), content_type="text/plain")
        storage.of().put = None  # type: ignore[assignment, method-assign]
        swept(lambda row: file.upload_file(row.id))

        assert (found(row).upload_status, found(row).size, found(row).sha256) == ("COMPLETE", row.size, row.sha256)
        assert list(spool.of().files()) == []

    @pytest.mark.parametrize("there", [b"", b"bytes that must not be lOst", BODY + b"!"])
    def test_other_bytes_are_no_proof(self, app: Flask, there: bytes) -> None:
        row = held("async", GONE)
        storage.of().put(row.key, iter([there]), content_type="text/plain")
        swept(lambda row: file.upload_file(row.id))

        assert found(row).upload_status == UploadStatus.COMPLETE
        assert b"".join(storage.of().open(row.key)) == BODY

    def test_a_storage_that_can_not_be_asked_costs_an_attempt_as_always(self, app: Flask) -> None:
        row = held("async", GONE)
        app.extensions["storage"] = FailingStorage(StorageUnavailable())
        app.extensions["storage"].holds = lambda *_: (_ for _ in ()).throw(StorageUnavailable())
        swept(lambda row: file.upload_file(row.id))

        assert (found(row).upload_status, found(row).attempt) == (UploadStatus.PENDING, 2)
        assert found(row).error == "storage-unavailable"

    def test_what_was_never_tried_is_not_looked_for(self, app: Flask) -> None:
        assert not file.already_stored(accepted())


class TestStorage:
    def test_uploads_in_parts_that_nobody_will_end_are_aborted(self, app: Flask, objects: Remembering) -> None:
        working, waiting, ended = held("normal", 30), held("async", 30), held("normal", 30)
        assert waiting.give_back("storage-unavailable", 0)
        assert ended.fail("client-disconnected")
        uploads = {row.id: Begun(row.key, "1") for row in (working, waiting, ended)}
        objects.open_uploads = {*uploads.values()}

        assert cleaned().counts["uploads_aborted"] == 2
        assert objects.open_uploads == {uploads[working.id]}

    def test_nothing_that_ferry_has_not_named_is_touched(self, app: Flask, objects: Remembering) -> None:
        keys = ["backup.tar", "00000000-0000-0000-0000-000000000000--x", f"{uuid_utils.uuid4()}--20200101000000--a"]
        for key in keys:
            objects.put(key, iter([b"x"]), content_type="text/plain")
        objects.open_uploads = {Begun(key, "1") for key in keys}
        cleaned()

        assert {found.key for found in objects.scan()} == {*keys, MARK}
        assert len(objects.open_uploads) == len(keys)

    def test_an_object_without_a_row_goes_once_it_is_old(
        self, app: Flask, objects: Remembering, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = file.new("a.bin", "text/plain", "normal")
        objects.put(row.key, iter([b"x"]), content_type="text/plain")

        assert cleaned().counts["objects_removed"] == 0
        aged(row, 101, monkeypatch)
        assert cleaned(dry=True).counts["objects_removed"] == 1
        assert cleaned().counts["objects_removed"] == 1
        assert [found.key for found in objects.scan()] == [MARK]

    def test_where_another_database_has_the_prefix_objects_without_a_row_stay(
        self, app: Flask, objects: Remembering, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = file.new("a.bin", "text/plain", "normal")
        objects.put(MARK, iter([b"another database"]), content_type="text/plain")
        objects.put(row.key, iter([b"theirs"]), content_type="text/plain")
        objects.open_uploads = {Begun(row.key, "1")}
        aged(row, 10**9, monkeypatch)
        cleaned()

        assert objects.stat(row.key)
        assert objects.open_uploads

    def test_an_object_of_a_failed_file_goes_when_the_file_can_not_be_tried_again(
        self, app: Flask, objects: Remembering
    ) -> None:
        kept, lost, normal = held("async", 30), held("async", 30), held("normal", 30)
        for row in (kept, lost, normal):
            objects.put(row.key, iter([b"half"]), content_type="text/plain")
            assert row.fail("storage-mismatch")
        spool.of().discard(lost.id)
        cleaned()

        assert {found.key for found in objects.scan()} == {kept.key, MARK}

    def test_objects_of_files_that_live_stay(
        self, app: Flask, objects: Remembering, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = [accepted(), held("async", 30), held("normal", 30), accepted()]
        file.upload_file(rows[-1].id)
        for row in rows[:-1]:
            objects.put(row.key, iter([b"x"]), content_type="text/plain")
        aged(rows[0], 10**9, monkeypatch)
        cleaned()

        assert {found.key for found in objects.scan()} == {MARK, *(row.key for row in rows)}

    def test_a_complete_file_whose_object_is_gone_says_so_until_it_is_back(
        self, app: Flask, objects: Remembering
    ) -> None:
        rows = [accepted() for _ in range(5)]
        for row in rows:
            file.upload_file(row.id)
        for row in (rows[0], rows[2], rows[4]):
            objects.delete(row.key)

        assert cleaned().counts["objects_missing"] == 3
        assert [found(row).error for row in rows] == [None if n % 2 else "storage-missing" for n in range(5)]
        assert cleaned().counts["objects_missing"] == 0
        objects.put(rows[2].key, iter([BODY]), content_type="text/plain")
        assert cleaned().counts["objects_back"] == 1
        assert (found(rows[2]).upload_status, found(rows[2]).error) == (UploadStatus.COMPLETE, None)


class TestSpool:
    def test_bytes_that_nobody_needs_are_removed(self, app: Flask) -> None:
        waiting, stored, failed = accepted(), accepted(), accepted()
        spool.of().discard, discard = lambda id: None, spool.of().discard  # type: ignore[method-assign]
        file.upload_file(stored.id)
        spool.of().discard = discard  # type: ignore[method-assign]
        assert failed.claim(30)
        assert failed.fail("storage-denied")

        assert cleaned().counts["spool_removed"] == 1
        assert {kept.id for kept in spool.of().files()} == {waiting.id, failed.id}

    def test_bytes_of_a_failed_file_are_kept_for_a_time(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        row = held("async", 30)
        assert row.fail("storage-denied")
        cleaned()
        assert spool.of().has(row.id)
        aged(row, 51, monkeypatch)
        cleaned()
        assert not spool.of().has(row.id)

    @pytest.mark.parametrize("suffix", ["", ".unfinished"])
    def test_what_has_no_row_goes_once_it_is_old(self, app: Flask, suffix: str) -> None:
        id = str(uuid_utils.uuid7())
        spool.of().keep("unnamed", iter([b"x"]))
        place = spool.of().folder / f"{id}{suffix}"
        place.write_bytes(b"left over")
        cleaned()
        assert place.exists()
        os.utime(place, (time.time() - 101, time.time() - 101))
        cleaned()
        assert not place.exists()
        assert spool.of().has("unnamed"), "not a name of ours"


class TestRetry:
    def test_a_failed_file_can_be_tried_again_with_all_its_attempts(self, app: Flask, client: FlaskClient) -> None:
        app.extensions["storage"] = failing = FailingStorage(StorageUnavailable())
        row = accepted()
        for _ in range(5):
            file.upload_file(row.id)
        assert found(row).upload_status == UploadStatus.ERROR

        answer = client.post(f"/files/{row.id}/retry")
        assert (answer.status_code, answer.get_json()["status"], answer.get_json()["error"]) == (202, "PENDING", None)
        assert answer.headers["Location"] == f"/files/{row.id}"
        swept(lambda row: file.upload_file(row.id))
        assert (found(row).upload_status, found(row).attempt) == (UploadStatus.PENDING, 6)
        failing.error = None
        file.upload_file(row.id)
        assert found(row).upload_status == UploadStatus.COMPLETE

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
        assert row.fail("storage-denied")
        spool.of().discard(row.id)
        answer = client.post(f"/files/{row.id}/retry")

        assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/bytes-gone")
        assert found(row).upload_status == UploadStatus.ERROR

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

        assert [found(row).upload_status for row in rows] == ["COMPLETE", "COMPLETE"]
        assert (told["dry_run"], told["counts"]["handed_out"], len(told["found"])) == (False, 2, 4)

    def test_a_dry_run_only_says_so(self, app: Flask) -> None:
        row = held("async", GONE)
        told = self.run(app, "--dry-run")

        assert found(row).upload_status == UploadStatus.PROCESSING
        assert f"     1  {KINDS['taken_back']}\n" in told
        assert list(storage.of().scan()) == []


def sweeper_of(app: Flask, hand_out: Callable[[File], None], every: float = 30) -> Sweeper:
    return Sweeper(app, hand_out, every=every, uploads_every=1000, objects_every=1000)


class TestTurns:
    def test_one_process_has_the_turn_at_a_time(self, app: Flask) -> None:
        given: list[str] = []
        sweepers = [sweeper_of(app, lambda row: given.append(row.id)) for _ in range(2)]
        row = accepted()
        sweepers[0].turn()
        assert row.claim(GONE)
        sweepers[1].turn()
        assert given == []
        sweepers[0].turn()
        assert given == [row.id]

    def test_a_sweep_that_is_stopped_hands_nothing_out(self, app: Flask) -> None:
        given: list[str] = []
        sweeper = sweeper_of(app, lambda row: given.append(row.id))
        sweeper.stop()
        held("async", GONE)
        sweeper.turn()

        assert given == []

    def test_a_sweep_that_fails_goes_on(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        sweeper = sweeper_of(app, lambda row: None, 0.01)
        turns: list[int] = []

        def turn() -> None:
            turns.append(1)
            if len(turns) == 3:
                sweeper._stop.set()
            raise StorageUnavailable if len(turns) == 1 else RuntimeError

        monkeypatch.setattr(sweeper, "turn", turn)
        sweeper.start()
        assert sweeper._thread is not None
        sweeper._thread.join(10)
        assert len(turns) == 3

    def test_a_lock_is_taken_once_until_its_time_is_over(self, app: Flask) -> None:
        assert locks.take("a", "me", 30)
        assert locks.take("a", "me", 30)
        assert not locks.take("a", "you", 30)
        assert locks.take("b", "you", -1)
        assert locks.take("b", "me", 30)
        assert locks.holder_of("b") == "me"
        assert locks.holder_of("c") is None


def row_in(status: UploadStatus, mode: str = "async", attempt: int = 1, before: int = 0) -> File:
    return File(upload_status=status, mode=mode, attempt=attempt, attempts_before=before)


PENDING, PROCESSING, COMPLETE, ERROR = (row_in(status) for status in UploadStatus)


@pytest.mark.parametrize(
    ("row", "age", "upload", "object_kept", "object_free"),
    [
        (None, 99, False, False, False),
        (None, 101, True, True, True),
        (PENDING, 9999, True, False, False),
        (PROCESSING, 9999, False, False, False),
        (COMPLETE, 9999, True, False, False),
        (ERROR, 0, True, False, True),
    ],
)
def test_what_is_left_over(row: File | None, age: float, upload: bool, object_kept: bool, object_free: bool) -> None:
    assert upload_is_left(row, age, 100) is upload
    assert object_is_left(row, age, 100, can_retry=True) is object_kept
    assert object_is_left(row, age, 100, can_retry=False) is object_free


@pytest.mark.parametrize(
    ("row", "age", "ended", "left"),
    [
        (None, 99, 0, False),
        (None, 101, 0, True),
        (PENDING, 9999, 9999, False),
        (PROCESSING, 9999, 9999, False),
        (COMPLETE, 0, 0, True),
        (ERROR, 9999, 49, False),
        (ERROR, 0, 51, True),
    ],
)
def test_which_bytes_are_left_over(row: File | None, age: float, ended: float, left: bool) -> None:
    assert bytes_are_left(row, age, 100, ended, 50) is left


@pytest.mark.parametrize(
    ("row", "spent"),
    [
        (row_in(PROCESSING.upload_status, "normal"), True),
        (row_in(PROCESSING.upload_status, attempt=4), False),
        (row_in(PROCESSING.upload_status, attempt=5), True),
        (row_in(PROCESSING.upload_status, attempt=9, before=5), False),
        (row_in(PROCESSING.upload_status, attempt=10, before=5), True),
    ],
)
def test_which_files_have_had_their_chances(row: File, spent: bool) -> None:
    assert is_spent(row, 5) is spent


def test_an_id_is_read_only_out_of_keys_that_ferry_makes(app: Flask) -> None:
    row = file.new("a b.pdf", "text/plain", "async")
    assert id_in(row.key, "") == row.id
    assert id_in(f"p/{row.key}", "p/") == row.id
    assert id_in(row.key, "p/") is None
    assert id_in(f"p/{row.key}", "") is None
    assert id_in(f"{row.id}--x", "") is None
    assert abs(made_at(row.id) - time.time()) < 5
