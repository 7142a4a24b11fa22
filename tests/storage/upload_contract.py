"""The contract of `Storage.put`: stored objects, notifications of the observer, failures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import islice
from uuid import uuid4

import pytest

from storage.base import Storage, StorageMissing
from storage.parts import DEFAULT_PART, MIN_PART
from tests.fakes import breaking
from tests.storage.observers import Broken, RecordingObserver

MIB = 1 << 20
EDGES = [0, 1, MIN_PART - 1, MIN_PART, MIN_PART + 1, DEFAULT_PART, 2 * MIN_PART, 2 * MIN_PART + 1, 21 * MIB + 3]


class UploadContract:
    """Promises of `Storage.put`."""

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
    def test_an_object_that_the_observer_rejects_leaves_nothing(self, storage: Storage, key: str, size: int) -> None:
        rejecting = RecordingObserver(accepts=False)
        with pytest.raises(Broken):
            storage.put(
                key, pieces(bytes(size)), max_bytes=10 * MIN_PART, content_type="text/plain", observer=rejecting
            )

        assert sum(rejecting.seen) == size
        assert list(storage.list_objects(key)) == []

    @pytest.mark.parametrize("max_bytes", ["known", "unknown"])
    @pytest.mark.parametrize("size", EDGES)
    def test_an_observer_is_notified_of_every_stored_byte(
        self, storage: Storage, key: str, size: int, max_bytes: str
    ) -> None:
        observer = RecordingObserver()
        known = size if max_bytes == "known" else None
        storage.put(key, pieces(bytes(size)), max_bytes=known, content_type="text/plain", observer=observer)

        assert sum(observer.heard) == size
        assert sorted(observer.heard) == sorted(observer.seen)
        assert not observer.ran_ahead

    def test_the_observer_of_a_failing_stream_is_notified_of_sent_bytes_only(self, storage: Storage, key: str) -> None:
        observer = RecordingObserver()
        stream = breaking(bytes(3 * MIN_PART), Broken())
        with pytest.raises(Broken):
            storage.put(key, stream, max_bytes=10 * MIN_PART, content_type="text/plain", observer=observer)

        assert sum(observer.heard) <= sum(observer.seen) < 3 * MIN_PART

    def test_a_failing_stream_keeps_the_existing_object(self, storage: Storage, key: str) -> None:
        storage.put(key, iter([b"first"]), content_type="text/plain")
        with pytest.raises(Broken):
            storage.put(
                key, breaking(bytes(MIN_PART + 1), Broken()), max_bytes=10 * MIN_PART, content_type="text/plain"
            )

        assert b"".join(storage.open(key)) == b"first"


def pieces(body: bytes, size: int = 700_001) -> Iterator[bytes]:
    """`body` in chunks of a size that does not divide a part."""
    return (body[at : at + size] for at in range(0, len(body), size))


def digest(stream: Iterator[bytes]) -> str:
    """The SHA-256 of at most 1,000 chunks."""
    found = hashlib.sha256()
    for chunk in islice(stream, 1000):
        found.update(chunk)
    return found.hexdigest()
