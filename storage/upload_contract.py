"""The contract of `Storage.upload`: stored objects, progress, failures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import islice
from uuid import uuid4

import pytest

from storage.base import Storage, StorageMissing, Upload
from storage.parts import DEFAULT_PART, MIN_PART, Part

MIB = 1 << 20
EDGES = [0, 1, MIN_PART - 1, MIN_PART, MIN_PART + 1, DEFAULT_PART, 2 * MIN_PART, 2 * MIN_PART + 1, 21 * MIB + 3]


class Broken(Exception):
    """An arbitrary error of a stream."""


class UploadContract:
    """Promises of `Storage.upload`."""

    @pytest.fixture
    def storage(self) -> Storage:
        raise NotImplementedError

    def headers_of(self, storage: Storage, key: str) -> tuple[str | None, str | None]:
        """Return the Content-Type and Content-Disposition that an object is served with."""
        raise NotImplementedError

    @pytest.fixture
    def key(self) -> str:
        return f"{uuid4()}--20261120101500--report.pdf"

    @pytest.mark.parametrize("max_bytes", ["known", "unknown"])
    @pytest.mark.parametrize("size", EDGES)
    def test_a_stored_object_can_be_read_back(self, storage: Storage, key: str, size: int, max_bytes: str) -> None:
        body = os.urandom(size)

        put = storage.put(
            key, pieces(body), max_bytes=size if max_bytes == "known" else None, content_type="text/plain"
        )

        assert (put.key, put.size) == (key, size)
        assert storage.stat(key) == put
        assert digest(storage.open(key)) == hashlib.sha256(body).hexdigest()

    @pytest.mark.parametrize("size", [0, 1, 2 * MIN_PART + 1], ids=["empty", "whole", "in parts"])
    def test_an_object_keeps_its_headers(self, storage: Storage, key: str, size: int) -> None:
        disposition = "attachment; filename=\"file.pdf\"; filename*=UTF-8''%E6%96%87%20%22%3B.pdf"
        storage.put(key, pieces(bytes(size)), content_type="image/png", disposition=disposition)
        assert self.headers_of(storage, key) == ("image/png", disposition)

        storage.put(key, pieces(bytes(size)), content_type="text/plain")
        assert self.headers_of(storage, key) == ("text/plain", None)

    def test_put_replaces_an_existing_object(self, storage: Storage, key: str) -> None:
        storage.put(key, iter([b"first"]), content_type="text/plain")
        storage.put(key, iter([b"second"]), content_type="text/plain")

        assert b"".join(storage.open(key)) == b"second"
        assert [found.key for found in storage.list_objects(key)] == [key]

    @pytest.mark.parametrize("size", [1, 2 * MIN_PART + 1], ids=["whole", "in parts"])
    def test_a_key_may_have_a_prefix(self, storage: Storage, key: str, size: int) -> None:
        key = f"uploads/2026/{key}"
        stat = storage.put(key, pieces(bytes(size)), max_bytes=size, content_type="text/plain")

        assert [stat] == list(storage.list_objects("uploads/2026/"))
        assert b"".join(storage.open(key)) == bytes(size)
        storage.delete(key)
        assert list(storage.list_objects("uploads/")) == []

    @pytest.mark.parametrize("size", [0, 1, MIN_PART, 2 * MIN_PART + 1, 21 * MIB + 3])
    def test_an_object_matches_its_bytes(self, storage: Storage, key: str, size: int) -> None:
        body = os.urandom(size)
        storage.put(key, pieces(body), max_bytes=size, content_type="text/plain")

        assert storage.matches(key, size, pieces(body))
        assert not storage.matches(key, size, pieces(body[:-1] + bytes([body[-1] ^ 1])) if size else iter([b"?"]))
        assert not storage.matches(key + "-not-there", size, pieces(body))

    def test_no_multipart_upload_remains_after_put(self, storage: Storage, key: str) -> None:
        storage.put(key, pieces(bytes(2 * MIN_PART)), content_type="text/plain")
        with pytest.raises(Broken):
            storage.put(key, breaking(bytes(3 * MIN_PART), Broken()), content_type="text/plain")

        assert list(storage.multipart_uploads(key)) == []

    @pytest.mark.parametrize("sent", [0, 10, MIN_PART + 1, 4 * MIN_PART])
    def test_a_failing_stream_leaves_nothing(self, storage: Storage, key: str, sent: int) -> None:
        with pytest.raises(Broken):
            storage.put(key, breaking(bytes(sent), Broken()), max_bytes=10 * MIN_PART, content_type="text/plain")

        with pytest.raises(StorageMissing):
            storage.stat(key)
        assert list(storage.list_objects(key)) == []

    @pytest.mark.parametrize("size", [0, 10, MIN_PART, 3 * MIN_PART + 1])
    def test_an_upload_that_is_left_before_its_last_part_leaves_nothing(
        self, storage: Storage, key: str, size: int
    ) -> None:
        upload = storage.upload(key, max_bytes=10 * MIN_PART, content_type="text/plain")
        with pytest.raises(Broken):
            _leave_before_the_last_part(upload, pieces(bytes(size)))

        assert list(storage.list_objects(key)) == []
        assert list(storage.multipart_uploads(key)) == []

    @pytest.mark.parametrize("size", [0, 10, 2 * MIN_PART + 1])
    def test_an_upload_that_is_not_completed_leaves_nothing(self, storage: Storage, key: str, size: int) -> None:
        with storage.upload(key, max_bytes=size, content_type="text/plain") as upload:
            _write(upload, pieces(bytes(size)))

        assert list(storage.list_objects(key)) == []
        assert list(storage.multipart_uploads(key)) == []

    @pytest.mark.parametrize("max_bytes", ["known", "unknown"])
    @pytest.mark.parametrize("size", EDGES)
    def test_every_stored_byte_is_counted_and_none_too_early(
        self, storage: Storage, key: str, size: int, max_bytes: str
    ) -> None:
        known, written = size if max_bytes == "known" else None, 0
        with storage.upload(key, max_bytes=known, content_type="text/plain") as upload:
            for part in upload.split(pieces(bytes(size))):
                written += len(part.body)
                upload.write(part)
                assert upload.stored <= written
            upload.complete()

        assert upload.stored == written == size

    def test_only_sent_bytes_of_a_failing_stream_are_counted(self, storage: Storage, key: str) -> None:
        upload = storage.upload(key, max_bytes=10 * MIN_PART, content_type="text/plain")
        with pytest.raises(Broken), upload:
            _write(upload, breaking(bytes(3 * MIN_PART), Broken()))

        assert upload.stored < 3 * MIN_PART

    def test_uploads_at_the_same_time_do_not_mix(self, storage: Storage, key: str) -> None:
        first, second = os.urandom(2 * MIN_PART + 1), os.urandom(3 * MIN_PART)
        with (
            storage.upload(key, max_bytes=len(first), content_type="text/plain") as one,
            storage.upload(f"{key}-2", max_bytes=len(second), content_type="text/plain") as two,
        ):
            for mine, other in zip(one.split(pieces(first)), two.split(pieces(second)), strict=True):
                one.write(mine)
                two.write(other)
            two.complete()
            one.complete()

        assert digest(storage.open(key)) == hashlib.sha256(first).hexdigest()
        assert digest(storage.open(f"{key}-2")) == hashlib.sha256(second).hexdigest()

    def test_a_part_may_be_read_by_another_thread_while_it_is_sent(self, storage: Storage, key: str) -> None:
        retained: list[tuple[Part, bytes]] = []
        with storage.upload(key, max_bytes=2 * MIN_PART, content_type="text/plain") as upload:
            for part in upload.split(pieces(os.urandom(2 * MIN_PART))):
                part.retain()
                retained.append((part, bytes(part.body)))
                upload.write(part)
            upload.complete()

        for part, body in retained:
            assert part.body == body
            part.release()
            with pytest.raises(RuntimeError):
                part.release()

    def test_a_failing_stream_keeps_the_existing_object(self, storage: Storage, key: str) -> None:
        storage.put(key, iter([b"first"]), content_type="text/plain")
        with pytest.raises(Broken):
            storage.put(
                key, breaking(bytes(MIN_PART + 1), Broken()), max_bytes=10 * MIN_PART, content_type="text/plain"
            )

        assert b"".join(storage.open(key)) == b"first"


def breaking(body: bytes, error: Exception) -> Iterator[bytes]:
    """Yields `body`, then raises `error`."""
    yield body
    raise error


def pieces(body: bytes, size: int = 700_001) -> Iterator[bytes]:
    """`body` in chunks of a size that does not divide a part."""
    return (body[at : at + size] for at in range(0, len(body), size))


def digest(stream: Iterator[bytes]) -> str:
    """The SHA-256 of at most 1,000 chunks."""
    found = hashlib.sha256()
    for chunk in islice(stream, 1000):
        found.update(chunk)
    return found.hexdigest()


def _write(upload: Upload, stream: Iterator[bytes]) -> None:
    for part in upload.split(stream):
        upload.write(part)


def _leave_before_the_last_part(upload: Upload, stream: Iterator[bytes]) -> None:
    with upload:
        for part in upload.split(stream):
            if part.last:
                part.release()
                raise Broken
            upload.write(part)
