"""The sweep over storage and spool: what is nobody's is removed, what is somebody's is left alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
import uuid_utils
from flask import Flask
from sqlalchemy import text

import file
from app import create_app
from database import engine
from lifecycle import transitions
from models import UploadStatus
from services import current_services
from storage.base import MultipartUpload, StorageDenied
from sweep.orphans import OWNER_MARKER
from tests.fakes import reload, replace_services
from tests.sweep.conftest import BODY, MemoryStorageWithUploads, accepted, aged, cleaned, held


class ByKey(MemoryStorageWithUploads):
    """Lists uploads as MinIO does."""

    all = False

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        return iter([each for each in self.open_uploads if each.key == prefix or (self.all and not prefix)])


class ByKeyOrAll(ByKey):
    all = True


class OfItsPrefix(ByKey):
    """Denies what is not about its prefix."""

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        if not prefix:
            raise StorageDenied
        return super().multipart_uploads(prefix)


class TestStorage:
    def test_orphaned_multipart_uploads_are_aborted(self, app: Flask, objects: MemoryStorageWithUploads) -> None:
        working, waiting, ended = held("normal", 30), held("async", 30), held("normal", 30)
        assert transitions.requeue(waiting, "storage-unavailable", 0)
        assert transitions.fail(ended, "client-disconnected")
        uploads = {row.id: MultipartUpload(row.key, "1") for row in (working, waiting, ended)}
        objects.open_uploads = {*uploads.values()}

        assert cleaned().counts["uploads_aborted"] == 0, "a Complete without an answer may be under way"
        engine.execute(text("UPDATE files SET updated_at = updated_at - 101"))
        assert cleaned().counts["uploads_aborted"] == 1
        assert objects.open_uploads == {uploads[working.id], uploads[waiting.id]}

    @pytest.mark.parametrize("kind", [ByKey, ByKeyOrAll])
    def test_uploads_are_found_where_a_prefix_lists_none(
        self, settings: dict[str, str], kind: type[MemoryStorageWithUploads]
    ) -> None:
        """MinIO lists the uploads of a whole key, and in later versions of a whole bucket."""
        app = create_app(settings | {"S3_PREFIX": "uploads/"})
        objects = kind()
        replace_services(app, storage=objects)
        with app.app_context():
            working, ended, twice = held("normal", 30), held("normal", 30), held("async", 30)
            assert transitions.fail(ended, "server-stopped")
            assert transitions.requeue(twice, "storage-unavailable", 0)
            assert transitions.claim(twice, 30)
            assert transitions.complete(twice, url="u", size=1, sha256="s")
            uploads = {row.id: MultipartUpload(row.key, "1") for row in (working, ended, twice)}
            foreign = MultipartUpload("elsewhere/" + ended.key.removeprefix("uploads/"), "1")
            objects.open_uploads = {*uploads.values(), foreign}

            engine.execute(text("UPDATE files SET updated_at = updated_at - 101"))
            assert cleaned().counts["uploads_aborted"] == 2
            assert objects.open_uploads == {uploads[working.id], foreign}

    def test_rights_on_a_prefix_alone_do_not_end_the_sweep(self, settings: dict[str, str]) -> None:
        app = create_app(settings | {"S3_PREFIX": "uploads/"})
        objects = OfItsPrefix()
        replace_services(app, storage=objects)
        with app.app_context():
            ended = held("normal", 30)
            assert transitions.fail(ended, "server-stopped")
            objects.open_uploads = {MultipartUpload(ended.key, "1")}

            engine.execute(text("UPDATE files SET updated_at = updated_at - 101"))
            assert cleaned().counts["uploads_aborted"] == 1

    def test_nothing_that_ferry_has_not_named_is_touched(self, app: Flask, objects: MemoryStorageWithUploads) -> None:
        keys = ["backup.tar", "00000000-0000-0000-0000-000000000000--x", f"{uuid_utils.uuid4()}--20200101000000--a"]
        for key in keys:
            objects.put(key, iter([b"x"]), content_type="text/plain")
        objects.open_uploads = {MultipartUpload(key, "1") for key in keys}
        cleaned()

        assert {found.key for found in objects.list_objects()} == {*keys, OWNER_MARKER}
        assert len(objects.open_uploads) == len(keys)

    def test_an_object_without_a_row_goes_once_it_is_old(
        self, app: Flask, objects: MemoryStorageWithUploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = file.new_file("a.bin", "text/plain", "normal")
        objects.put(row.key, iter([b"x"]), content_type="text/plain")

        assert cleaned().counts["objects_removed"] == 0
        aged(row, 101, monkeypatch)
        assert cleaned(dry=True).counts["objects_removed"] == 1
        assert cleaned().counts["objects_removed"] == 1
        assert [found.key for found in objects.list_objects()] == [OWNER_MARKER]

    def test_where_another_database_has_the_prefix_objects_without_a_row_stay(
        self, app: Flask, objects: MemoryStorageWithUploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = file.new_file("a.bin", "text/plain", "normal")
        objects.put(OWNER_MARKER, iter([b"another database"]), content_type="text/plain")
        objects.put(row.key, iter([b"theirs"]), content_type="text/plain")
        objects.open_uploads = {MultipartUpload(row.key, "1")}
        aged(row, 10**9, monkeypatch)
        cleaned()

        assert objects.stat(row.key)
        assert objects.open_uploads

    def test_an_object_of_a_failed_file_goes_when_the_file_can_not_be_tried_again(
        self, app: Flask, objects: MemoryStorageWithUploads
    ) -> None:
        kept, lost, normal = held("async", 30), held("async", 30), held("normal", 30)
        for row in (kept, lost, normal):
            objects.put(row.key, iter([b"half"]), content_type="text/plain")
            assert transitions.fail(row, "storage-mismatch")
        current_services().spool.delete(lost.id)
        cleaned()

        assert {found.key for found in objects.list_objects()} == {kept.key, OWNER_MARKER}

    def test_objects_of_files_that_live_stay(
        self, app: Flask, objects: MemoryStorageWithUploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = [accepted(), held("async", 30), held("normal", 30), accepted()]
        file.upload_file(rows[-1].id)
        for row in rows[:-1]:
            objects.put(row.key, iter([b"x"]), content_type="text/plain")
        aged(rows[0], 10**9, monkeypatch)
        cleaned()

        assert {found.key for found in objects.list_objects()} == {OWNER_MARKER, *(row.key for row in rows)}

    def test_a_complete_file_whose_object_is_gone_says_so_until_it_is_back(
        self, app: Flask, objects: MemoryStorageWithUploads
    ) -> None:
        rows = [accepted() for _ in range(5)]
        for row in rows:
            file.upload_file(row.id)
        for row in (rows[0], rows[2], rows[4]):
            objects.delete(row.key)

        assert cleaned().counts["objects_missing"] == 3
        assert [reload(row).error for row in rows] == [None if n % 2 else "object-missing" for n in range(5)]
        assert cleaned().counts["objects_missing"] == 0
        objects.put(rows[2].key, iter([BODY]), content_type="text/plain")
        assert cleaned().counts["objects_back"] == 1
        assert (reload(rows[2]).upload_status, reload(rows[2]).error) == (UploadStatus.COMPLETE, None)


class TestSpool:
    def test_bytes_that_nobody_needs_are_removed(self, app: Flask) -> None:
        waiting, stored, failed = accepted(), accepted(), accepted()
        current_services().spool.delete, discard = lambda id: None, current_services().spool.delete  # type: ignore[method-assign]
        file.upload_file(stored.id)
        current_services().spool.delete = discard  # type: ignore[method-assign]
        assert transitions.claim(failed, 30)
        assert transitions.fail(failed, "storage-denied")

        assert cleaned().counts["spool_removed"] == 1
        assert {kept.id for kept in current_services().spool.files()} == {waiting.id, failed.id}

    def test_bytes_of_a_failed_file_are_kept_for_a_time(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        row = held("async", 30)
        assert transitions.fail(row, "storage-denied")
        cleaned()
        assert current_services().spool.has(row.id)
        aged(row, 51, monkeypatch)
        cleaned()
        assert not current_services().spool.has(row.id)

    @pytest.mark.parametrize("suffix", ["", ".unfinished"])
    def test_what_has_no_row_goes_once_it_is_old(self, app: Flask, suffix: str) -> None:
        id = str(uuid_utils.uuid7())
        current_services().spool.write(id, iter([b"x"]))
        foreign = current_services().spool.folder / "unnamed"
        foreign.write_bytes(b"x")
        os.utime(foreign, (0, 0))
        place = current_services().spool.folder / f"{id}{suffix}"
        place.write_bytes(b"left over")
        cleaned()
        assert place.exists()
        os.utime(place, (time.time() - 101, time.time() - 101))
        cleaned()
        assert not place.exists()
        assert foreign.exists(), "not a name that Ferry gives"
