"""The sweep over storage and spool: orphans are removed, everything else stays."""

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
from tests.harness.factories import BODY, claim, claimed_file, pending_file, reload, unsaved_file
from tests.sweep.conftest import MemoryStorageWithUploads, advance_clocks, sweep_orphans


class ListedByKey(MemoryStorageWithUploads):
    """Lists multipart uploads for a full key only, as MinIO does."""

    by_bucket = False

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        return iter([each for each in self.open_uploads if each.key == prefix or (self.by_bucket and not prefix)])


class ListedByKeyOrBucket(ListedByKey):
    by_bucket = True


class LimitedToPrefix(ListedByKey):
    """Denies listings without a prefix."""

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        if not prefix:
            raise StorageDenied
        return super().multipart_uploads(prefix)


class TestStorage:
    def test_orphaned_multipart_uploads_are_aborted(self, app: Flask, objects: MemoryStorageWithUploads) -> None:
        working, waiting, ended = claimed_file("normal"), claimed_file("async"), claimed_file("normal")
        assert transitions.requeue(waiting, "storage-unavailable", 0)
        assert transitions.set_error(ended, "client-disconnected")
        uploads = {row.id: MultipartUpload(row.key, "1") for row in (working, waiting, ended)}
        objects.open_uploads = {*uploads.values()}

        assert sweep_orphans().counts["uploads_aborted"] == 0, "a CompleteMultipartUpload may still be in progress"
        engine.execute(text("UPDATE files SET updated_at = updated_at - 101"))
        assert sweep_orphans().counts["uploads_aborted"] == 1
        assert objects.open_uploads == {uploads[working.id], uploads[waiting.id]}

    @pytest.mark.parametrize("kind", [ListedByKey, ListedByKeyOrBucket])
    def test_uploads_are_found_if_the_listing_by_prefix_has_none(
        self, settings: dict[str, str], kind: type[MemoryStorageWithUploads]
    ) -> None:
        """MinIO lists the uploads of a whole key, and in later versions of a whole bucket."""
        objects = kind()
        objects.prefix = "uploads/"
        app = create_app(settings, {"storage": objects})
        with app.app_context():
            working, ended, twice = claimed_file("normal"), claimed_file("normal"), claimed_file("async")
            assert transitions.set_error(ended, "server-stopped")
            assert transitions.requeue(twice, "storage-unavailable", 0)
            twice = claim(twice)
            assert transitions.set_complete(twice, url="u", size=1, sha256="s")
            uploads = {row.id: MultipartUpload(row.key, "1") for row in (working, ended, twice)}
            foreign = MultipartUpload("elsewhere/" + ended.key.removeprefix("uploads/"), "1")
            objects.open_uploads = {*uploads.values(), foreign}

            engine.execute(text("UPDATE files SET updated_at = updated_at - 101"))
            assert sweep_orphans().counts["uploads_aborted"] == 2
            assert objects.open_uploads == {uploads[working.id], foreign}

    def test_credentials_limited_to_the_prefix_do_not_end_the_sweep(self, settings: dict[str, str]) -> None:
        objects = LimitedToPrefix()
        objects.prefix = "uploads/"
        app = create_app(settings, {"storage": objects})
        with app.app_context():
            ended = claimed_file("normal")
            assert transitions.set_error(ended, "server-stopped")
            objects.open_uploads = {MultipartUpload(ended.key, "1")}

            engine.execute(text("UPDATE files SET updated_at = updated_at - 101"))
            assert sweep_orphans().counts["uploads_aborted"] == 1

    def test_keys_that_ferry_does_not_make_are_left_alone(self, app: Flask, objects: MemoryStorageWithUploads) -> None:
        keys = ["backup.tar", "00000000-0000-0000-0000-000000000000--x", f"{uuid_utils.uuid4()}--20200101000000--a"]
        for key in keys:
            objects.put(key, iter([b"x"]), content_type="text/plain")
        objects.open_uploads = {MultipartUpload(key, "1") for key in keys}
        sweep_orphans()

        assert {found.key for found in objects.list_objects()} == {*keys, OWNER_MARKER}
        assert len(objects.open_uploads) == len(keys)

    def test_an_object_without_a_row_is_removed_after_the_grace_period(
        self, app: Flask, objects: MemoryStorageWithUploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = unsaved_file("normal")
        objects.put(row.key, iter([b"x"]), content_type="text/plain")

        assert sweep_orphans().counts["objects_removed"] == 0
        advance_clocks(101, monkeypatch)
        assert sweep_orphans(dry=True).counts["objects_removed"] == 1
        assert sweep_orphans().counts["objects_removed"] == 1
        assert [found.key for found in objects.list_objects()] == [OWNER_MARKER]

    def test_objects_without_a_row_stay_if_the_prefix_belongs_to_another_database(
        self, app: Flask, objects: MemoryStorageWithUploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = unsaved_file("normal")
        objects.put(OWNER_MARKER, iter([b"another database"]), content_type="text/plain")
        objects.put(row.key, iter([b"foreign"]), content_type="text/plain")
        objects.open_uploads = {MultipartUpload(row.key, "1")}
        advance_clocks(10**9, monkeypatch)
        sweep_orphans()

        assert objects.stat(row.key)
        assert objects.open_uploads

    def test_an_object_of_a_failed_file_is_removed_if_the_file_cannot_be_retried(
        self, app: Flask, objects: MemoryStorageWithUploads
    ) -> None:
        retryable, lost, normal = claimed_file("async"), claimed_file("async"), claimed_file("normal")
        for row in (retryable, lost, normal):
            objects.put(row.key, iter([b"half"]), content_type="text/plain")
            assert transitions.set_error(row, "storage-mismatch")
        current_services().spool.delete(lost.id)
        sweep_orphans()

        assert {found.key for found in objects.list_objects()} == {retryable.key, OWNER_MARKER}

    def test_objects_of_unfinished_and_complete_files_stay(
        self, app: Flask, objects: MemoryStorageWithUploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = [pending_file(), claimed_file("async"), claimed_file("normal"), pending_file()]
        file.upload_file(rows[-1].id)
        for row in rows[:-1]:
            objects.put(row.key, iter([b"x"]), content_type="text/plain")
        advance_clocks(10**9, monkeypatch)
        sweep_orphans()

        assert {found.key for found in objects.list_objects()} == {OWNER_MARKER, *(row.key for row in rows)}

    def test_a_complete_file_is_flagged_while_its_object_is_missing(
        self, app: Flask, objects: MemoryStorageWithUploads
    ) -> None:
        rows = [pending_file() for _ in range(5)]
        for row in rows:
            file.upload_file(row.id)
        for row in (rows[0], rows[2], rows[4]):
            objects.delete(row.key)

        assert sweep_orphans().counts["objects_missing"] == 3
        assert [reload(row).error for row in rows] == [None if n % 2 else "object-missing" for n in range(5)]
        assert sweep_orphans().counts["objects_missing"] == 0
        objects.put(rows[2].key, iter([BODY]), content_type="text/plain")
        assert sweep_orphans().counts["objects_back"] == 1
        assert (reload(rows[2]).upload_status, reload(rows[2]).error) == (UploadStatus.COMPLETE, None)


class TestSpool:
    def test_bytes_of_complete_files_are_removed(self, app: Flask) -> None:
        waiting, stored, failed = pending_file(), pending_file(), pending_file()
        current_services().spool.delete, delete = lambda id: None, current_services().spool.delete  # type: ignore[method-assign]
        file.upload_file(stored.id)
        current_services().spool.delete = delete  # type: ignore[method-assign]
        failed = claim(failed)
        assert transitions.set_error(failed, "storage-denied")

        assert sweep_orphans().counts["spool_removed"] == 1
        assert {spooled.id for spooled in current_services().spool.files()} == {waiting.id, failed.id}

    def test_bytes_of_a_failed_file_have_a_retention(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        row = claimed_file("async")
        assert transitions.set_error(row, "storage-denied")
        sweep_orphans()
        assert current_services().spool.has(row.id)
        advance_clocks(51, monkeypatch)
        sweep_orphans()
        assert not current_services().spool.has(row.id)

    @pytest.mark.parametrize("suffix", ["", ".unfinished"])
    def test_bytes_without_a_row_are_removed_after_the_grace_period(self, app: Flask, suffix: str) -> None:
        id = str(uuid_utils.uuid7())
        current_services().spool.write(id, iter([b"x"]))
        foreign = current_services().spool.folder / "unnamed"
        foreign.write_bytes(b"x")
        os.utime(foreign, (0, 0))
        place = current_services().spool.folder / f"{id}{suffix}"
        place.write_bytes(b"left over")
        sweep_orphans()
        assert place.exists()
        os.utime(place, (time.time() - 101, time.time() - 101))
        sweep_orphans()
        assert not place.exists()
        assert foreign.exists(), "not a name that Ferry makes"
